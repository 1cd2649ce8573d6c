"""What is tried, and how many of 10,000 inputs each kind gets."""

from tests.tools.fuzz.files import damage, forgery, round_trip
from tests.tools.fuzz.flags import command_line, configuration
from tests.tools.fuzz.generation import generation
from tests.tools.fuzz.structure import archive, arrays, hdf5, member
from tests.tools.fuzz.texts import prompt, text

LIGHT = {text: 2500, configuration: 1300, command_line: 1300, prompt: 1300, damage: 1000, forgery: 1000}
STRUCTURE = {hdf5: 1000, arrays: 250, archive: 250, member: 100}
HEAVY = {generation: 300, round_trip: 20}  # those that train or compile
ALL = {**LIGHT, **STRUCTURE, **HEAVY}
