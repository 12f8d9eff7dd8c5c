# The public names, each with the module that it is loaded from when it is first used.

from .clean import CleanText as CleanText
from .clean import clean_wikitext as clean_wikitext
from .definitions import Definitions as Definitions
from .registry import template as template
from .table import pages_to_articles as pages_to_articles
