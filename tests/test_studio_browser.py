"""The studio in Chromium: every control once, no complaint of the console, no request that leaves the machine."""

import json
import shutil

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import csv

import azogue as az

for needed in ("starlette", "uvicorn", "selenium"):
    pytest.importorskip(needed)
if shutil.which("chromium") is None or shutil.which("chromedriver") is None:
    pytest.skip("chromium and chromedriver are not installed", allow_module_level=True)

from selenium import webdriver  # noqa: E402
from selenium.webdriver import ActionChains  # noqa: E402
from selenium.webdriver.common.by import By  # noqa: E402
from selenium.webdriver.common.keys import Keys  # noqa: E402
from selenium.webdriver.support.ui import Select, WebDriverWait  # noqa: E402

from test_studio_server import Running  # noqa: E402

NAME, VALUE = "<script>alert(1)</script>", '"><img src=x onerror=alert(2)>'
WAIT = 90


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Data with names that would do harm as markup."""
    place = tmp_path_factory.mktemp("data")
    rng = np.random.default_rng(0)
    a = rng.normal(size=60)
    table = pa.table({"a": a, "b": a + rng.normal(size=60), NAME: rng.choice([VALUE, "y"], 60)})
    csv.write_csv(table, place / "table.csv")
    csv.write_csv(az.simulate_missing(table, p=0.1, random_state=0), place / "holes.csv")
    np.save(place / "pictures.npy", (rng.random((40, 6, 6)) * 255).astype(np.uint8))
    from PIL import Image

    (place / "folder").mkdir()
    for at in range(6):
        Image.fromarray((rng.random((6, 6)) * 255).astype(np.uint8)).save(place / "folder" / f"p{at}.png")
    return place


class Page:
    """A browser at the studio."""

    def __init__(self, running, downloads):
        options = webdriver.ChromeOptions()
        options.binary_location = shutil.which("chromium")
        rules = "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"
        for flag in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--window-size=1200,1400", rules):
            options.add_argument(flag)
        several = {"profile.default_content_setting_values.automatic_downloads": 1}
        options.add_experimental_option("prefs", {"download.default_directory": str(downloads), **several})
        options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
        service = webdriver.ChromeService(shutil.which("chromedriver"))
        self.driver = webdriver.Chrome(options=options, service=service)
        self.running, self.downloads = running, downloads
        self.driver.execute_cdp_cmd(
            "Browser.grantPermissions", {"permissions": ["clipboardReadWrite", "clipboardSanitizedWrite"]}
        )
        place = {"behavior": "allow", "downloadPath": str(downloads)}
        self.driver.execute_cdp_cmd("Browser.setDownloadBehavior", place)
        self.driver.get(running.address)
        self.until(lambda: "MB" in self.one("#takes").text)

    def one(self, selector):
        return self.driver.find_element(By.CSS_SELECTOR, selector)

    def all(self, selector):
        return self.driver.find_elements(By.CSS_SELECTOR, selector)

    def until(self, true):
        return WebDriverWait(self.driver, WAIT, 0.1, (Exception,)).until(lambda _: true())

    def click(self, selector):
        element = self.one(selector)
        self.driver.execute_script("arguments[0].scrollIntoView({block: 'center'})", element)
        self.until(lambda: element.click() is None)

    def button(self, text):
        found = self.driver.find_elements(By.XPATH, f"//button[normalize-space()='{text}']")
        return next(one for one in found if one.is_displayed())

    def put(self, path, words, field="files"):
        self.one(f"#{field}").send_keys(str(path))
        self.until(lambda: words in self.one("#data").text)

    def ended(self):
        return self.one("#status").text.startswith(("Done", "Stopped", "Failed"))

    def run(self, use, stop=True, **fields):
        """Start a use, press stop, and wait for its end."""
        self.click(f"input[value={use}]")
        for name, value in fields.items():
            element = self.one(f"#field-{name}")
            if element.tag_name == "select":
                Select(element).select_by_value(value)
            else:
                element.clear()
                element.send_keys(value)
        self.click("#start")
        self.until(lambda: self.one("#job-part").is_displayed())
        if stop:
            self.until(lambda: self.ended() or self.one("#stop").click() is None)
        self.until(self.ended)
        self.until(lambda: self.one("#look-part").is_displayed())
        return self.one("#status").text

    def requests(self):
        """The addresses that were asked for since the last time."""
        entries = [json.loads(line["message"])["message"] for line in self.driver.get_log("performance")]
        return [one["params"]["request"]["url"] for one in entries if one["method"] == "Network.requestWillBeSent"]


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    running = Running(tmp_path_factory.mktemp("studio"))
    made = Page(running, tmp_path_factory.mktemp("downloads"))
    yield made
    made.driver.quit()
    running.end()


@pytest.fixture(autouse=True)
def quiet(page):
    """Nothing leaves the machine, and the console has nothing to say."""
    yield
    base = page.running.address.split("#")[0]
    away = [url for url in page.requests() if not url.startswith((base, "blob:" + base, "data:", "chrome:", "about:"))]
    assert away == []
    assert page.driver.get_log("browser") == []


def test_the_token_leaves_the_address(page):
    assert page.running.token not in page.driver.current_url
    assert page.driver.execute_script("return document.cookie") == ""


def test_names_are_text(page, folder):
    page.put(folder / "table.csv", "60 rows")
    assert NAME in page.one("#data").text
    assert VALUE in page.one("#data").text
    page.click("#reading summary")
    assert NAME in page.one("#reading").text
    assert page.driver.execute_script("return document.querySelectorAll('body script, img').length") == 0


def test_reading_again(page, folder):
    page.put(folder / "table.csv", "60 rows")
    if not page.one("#reread").is_displayed():
        page.click("#reading summary")
    page.click("#reading input[value=b]")
    page.one("#reading input[type=text]").send_keys("y")
    page.click("#reread")
    page.until(lambda: "2 columns" in page.one("#data").text)
    assert not page.one("input[value=impute]").get_property("disabled")
    page.click("#reading p input[type=checkbox]")
    page.click("#reading input[value=b]")
    page.click("#reread")
    page.until(lambda: "61 rows" in page.one("#data").text)  # the first line is a row now


def test_the_map_and_the_code(page, folder):
    page.put(folder / "table.csv", "60 rows")
    said = page.run("reduce", stop=True, units="2", variant="denoising", epochs="100000")
    assert said.startswith("Stopped")
    canvas = page.until(lambda: page.one(".map canvas[aria-label*='60 of 60']"))
    Select(page.one("#color")).select_by_value(NAME)
    page.until(lambda: VALUE in page.one(".legend").text)
    act = ActionChains(page.driver)
    wide, high = canvas.size["width"], canvas.size["height"]
    page.driver.execute_script("arguments[0].scrollIntoView({block: 'center'})", canvas)
    act.move_to_element_with_offset(canvas, 4 - wide // 2, 4 - high // 2).click_and_hold()
    act.move_by_offset(wide // 2, high // 2).move_by_offset(wide // 2 - 8, high // 2 - 8).release().perform()
    page.until(lambda: "60 rows in the rectangle" in page.one("#view-map").text)
    assert len(page.all("#view-map tbody tr")) == 60
    canvas.send_keys(Keys.ESCAPE)
    page.until(lambda: "rectangle" not in page.one("#view-map [role=status]").text)
    canvas.send_keys(Keys.ARROW_LEFT, Keys.ARROW_UP)
    for _ in range(40):
        canvas.send_keys(Keys.SHIFT + Keys.ARROW_RIGHT)
        canvas.send_keys(Keys.SHIFT + Keys.ARROW_DOWN)
    page.until(lambda: "in the rectangle" in page.one("#view-map [role=status]").text)
    place = page.driver.execute_script(HOVERED, canvas)
    ActionChains(page.driver).move_to_element_with_offset(canvas, place[0] - wide / 2, place[1] - high / 2).perform()
    page.until(lambda: page.one(".tip").is_displayed())
    ActionChains(page.driver).click().perform()
    page.until(lambda: "is chosen" in page.one("#view-map [role=status]").text)
    page.click("#tab-code")
    page.until(lambda: "The code of row" in page.one("#view-code").text)
    before = page.one("#view-code .scroll").text
    slider = page.one("#unit-0")
    slider.send_keys(Keys.HOME)
    page.until(lambda: page.one("#view-code .scroll").text != before)
    page.one("#code-row").clear()
    page.one("#code-row").send_keys("5")
    page.button("Take its code").click()
    page.until(lambda: "The code of row 5" in page.one("#view-code").text)
    page.button("To the middle").click()
    page.until(lambda: "The code of" not in page.one("#view-code").text)
    page.one("#tab-code").send_keys(Keys.ARROW_LEFT)
    page.until(lambda: page.one("#view-map").is_displayed())


#: Where some dot of the map is: a place of the canvas that is painted.
HOVERED = """
const c = arguments[0], pen = c.getContext('2d'), d = pen.getImageData(0, 0, c.width, c.height).data;
const dense = c.width / c.clientWidth, seen = [];
for (let y = 30; y < c.height - 30; y++) for (let x = 30; x < c.width - 30; x++) {
  const k = 4 * (y * c.width + x);
  if (d[k + 3] > 150 && (d[k] > 60 || d[k + 2] > 60) && Math.abs(d[k] - d[k + 2]) > 60) return [x / dense, y / dense];
}
return null;
"""


def test_anomalies_and_downloads(page, folder):
    page.put(folder / "table.csv", "60 rows")
    page.run("detect", stop=False, contamination="0.1")
    page.until(lambda: "What each column adds" in page.one("#view-anomalies").text)
    rows = page.all("#view-anomalies button.link")
    rows[1].click()
    page.until(lambda: f"Row {rows[1].text}" in page.one("#view-anomalies").text)
    names = [button.text for button in page.all("#downloads button")]
    assert {"scores.csv", "model.azogue", "report.html", "again.sh", "again.py"} <= set(names)
    for name in names:
        page.button(name).click()
        page.until(lambda name=name: (page.downloads / name).exists())
    assert csv.read_csv(page.downloads / "scores.csv").num_rows == 60
    assert az.load(page.downloads / "model.azogue").anomaly_score(csv.read_csv(folder / "table.csv")).shape == (60,)
    for _ in range(2):
        page.button("Copy").click()
        page.until(lambda: page.button("Copied"))


def test_gaps(page, folder):
    page.put(folder / "holes.csv", "missing")
    page.run("impute")
    page.until(lambda: "was missing" in page.one("#view-compare").text)
    assert page.all("td.changed")


def test_new_rows(page, folder):
    page.put(folder / "table.csv", "60 rows")
    page.run("synthesise", rows="20")
    for _ in range(2):
        page.click("#more")
    page.all(".condition button")[1].click()
    column, sign = (Select(one) for one in page.all(".condition select"))
    column.select_by_value("a")
    sign.select_by_value(">=")
    page.one(".condition input").send_keys("0")
    page.click("#draw")
    page.until(lambda: "drawn rows" in page.one("#view-draw").text)
    first = [float(line.find_element(By.TAG_NAME, "td").text) for line in page.all("#view-draw tbody tr")]
    assert len(first) == 100
    assert min(first) >= 0
    assert "--where" in page.one("#commands").text
    page.one(".condition input").send_keys("x")
    page.click("#draw")
    page.until(lambda: page.one("#fault").is_displayed())
    (told,) = page.driver.get_log("browser")  # the browser itself tells of a refusal
    assert "400" in told["message"]


@pytest.mark.parametrize(("use", "view"), [("denoise", "compare"), ("anonymize", "compare"), ("hash", "similar")])
def test_the_other_uses(page, folder, use, view):
    page.put(folder / "table.csv", "60 rows")
    page.click(f"input[value={use}]")
    for box in page.all(f"#fields input[name=sensitive][value='{NAME}']"):
        box.click()
    page.run(use)
    page.until(lambda: page.one(f"#view-{view} tbody tr"))
    if use == "hash":
        page.one("#similar-row").clear()
        page.one("#similar-row").send_keys("3")
        page.button("Find").click()
        page.until(lambda: "Row 3" in page.one("#view-similar").text)
        page.all("#view-similar button.link")[1].click()
        page.until(lambda: "Row 3" not in page.one("#view-similar h3").text)


def test_pictures(page, folder):
    page.put(folder / "pictures.npy", "40 pictures")
    page.run("detect")
    page.until(lambda: len(page.all("#view-anomalies canvas")) == 3)
    page.put(folder / "folder", "6 pictures", field="folder")
    page.run("reduce", units="2", size="6x6")
    page.click("#tab-code")
    page.until(lambda: page.all("#view-code canvas"))


def test_reload_keeps_and_another_tab_is_its_own(page, folder):
    page.put(folder / "table.csv", "60 rows")
    page.run("reduce")
    page.driver.refresh()
    page.until(lambda: "60 rows" in page.one("#data").text)
    page.until(lambda: page.one("#look-part").is_displayed())
    first = page.driver.current_window_handle
    page.driver.execute_script("window.open(location.href)")  # a copy of the tab, with what it remembers
    second = page.until(lambda: next(one for one in page.driver.window_handles if one != first))
    page.driver.switch_to.window(second)
    page.until(lambda: "MB" in page.one("#takes").text)
    assert page.one("#data").text == ""
    page.put(folder / "holes.csv", "missing")
    page.click("input[value=synthesise]")
    page.click("#start")
    page.until(lambda: "pass" in page.one("#status").text)
    page.driver.switch_to.window(first)
    assert page.run("reduce", stop=False, epochs="2").startswith("Done")  # while the other trains
    page.driver.switch_to.window(second)
    assert "pass" in page.one("#status").text
    page.click("#stop")
    page.until(page.ended)
    page.driver.close()
    page.driver.switch_to.window(first)


def test_start_anew_and_too_large(page, folder, tmp_path):
    page.put(folder / "table.csv", "60 rows")
    page.click("#reset")
    page.until(lambda: page.one("#data").text == "")
    large = tmp_path / "large.csv"
    with large.open("wb") as file:
        file.truncate(200 * 2**20)
    page.one("#files").send_keys(str(large))
    page.until(lambda: page.one("#fault").is_displayed())
    assert "100 MB" in page.one("#fault").text


def test_a_foreign_page_gets_nothing(page):
    script = """
    const tell = arguments[1];
    fetch(arguments[0] + 'api/open', {method: 'POST', mode: 'cors', headers: {'x-azogue-token': 'x'}})
      .then(() => tell('answered')).catch(() => tell('refused'));
    """
    base = page.running.address.split("#")[0]
    page.driver.get("about:blank")
    assert page.driver.execute_async_script(script, base) == "refused"
    page.driver.get_log("browser")  # the refusal is what the console tells
    page.driver.get(base)
