"""Networks for other programs: what goes in and comes out of them, preparation included."""

from azogue.exporting.networks import Outward, outward, program, to_torch
from azogue.exporting.preparations import Port, PortError, Preparation, preparation_of

__all__ = ["Outward", "Port", "PortError", "Preparation", "outward", "preparation_of", "program", "to_torch"]
