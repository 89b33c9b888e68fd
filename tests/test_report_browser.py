"""The page of a report in a browser: its points tell their rows, nothing of the data runs, nothing is fetched."""

import shutil

import numpy as np
import pandas as pd
import pytest

import azogue as az

webdriver = pytest.importorskip("selenium.webdriver")
CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
pytestmark = pytest.mark.skipif(not (CHROMIUM and DRIVER), reason="no chromium with its driver on this machine")


@pytest.fixture(scope="module")
def browser():
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for argument in ("--headless=new", "--no-sandbox", "--disable-gpu", "--window-size=1100,1400"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(DRIVER))
    yield driver
    driver.quit()


def test_points_are_explored(browser, tmp_path):
    from selenium.webdriver.common.keys import Keys
    from selenium.webdriver.support.ui import Select

    rng = np.random.default_rng(0)
    evil = "<img src=x onerror=document.title='run'>"
    frame = pd.DataFrame(rng.normal(size=(40, 3)).round(2), columns=["a", "<script>document.title='run'</script>", "c"])
    frame["kind"] = np.resize([evil, "plain"], 40)
    frame.loc[3, "a"] = np.nan
    ae = az.Autoencoder(2, epochs=2, random_state=0).fit(frame)
    ae.report(frame).save(tmp_path / "page.html")
    browser.get((tmp_path / "page.html").as_uri())
    figure = browser.find_element("css selector", "figure.map")
    dots = figure.find_elements("css selector", "circle")
    assert len(dots) == 40
    choice = Select(figure.find_element("css selector", "select"))
    assert [option.text for option in choice.options] == ["nothing", *frame.columns]

    def fills():
        return [dot.value_of_css_property("fill") for dot in dots]

    choice.select_by_visible_text("kind")
    colors = fills()
    assert len(set(colors)) == 2
    assert len(set(colors[::2])) == 1
    legend = figure.find_element("css selector", ".legend").text
    assert f"{evil} (20)" in legend
    choice.select_by_visible_text("a")
    assert fills()[3] == "rgb(184, 190, 198)", "missing cells are grey"
    assert len(set(fills())) > 20
    assert "missing" in figure.find_element("css selector", ".legend").text

    chart = figure.find_element("css selector", "svg")
    browser.execute_script("arguments[0].focus()", chart)
    chart.send_keys(Keys.END)
    last = int(np.argmax([float(dot.get_attribute("cx")) for dot in dots]))
    told = figure.find_element("css selector", ".row")
    assert told.text.startswith(f"row {last}")
    assert frame["kind"][last] in told.text
    chart.send_keys(Keys.ARROW_LEFT)
    assert not told.text.startswith(f"row {last}")
    chart.send_keys(Keys.ESCAPE)
    assert told.text == ""
    webdriver.ActionChains(browser).move_to_element(dots[7]).perform()
    assert told.text.startswith("row ")
    assert browser.title != "run"
    assert browser.get_log("browser") == []
    asked = browser.execute_script("return performance.getEntriesByType('resource').map(one => one.name)")
    assert [name for name in asked if not name.startswith("data:")] == []
