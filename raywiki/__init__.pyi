# The public names, each with the module that it is loaded from when it is first used.

from .corpus import Corpus as Corpus
from .curation import articles_to_signatures as articles_to_signatures
from .engine.curate import curate as curate
from .engine.extract import extract as extract
from .engine.grow import GrowSummary as GrowSummary
from .engine.grow import grow as grow
from .engine.read import read_dump as read_dump
from .engine.tokens import tokenize as tokenize
from .engine.train import TrainSummary as TrainSummary
from .engine.train import train as train
from .local.eval import EvalSummary as EvalSummary
from .local.eval import evaluate as evaluate
from .local.export import ExportSummary as ExportSummary
from .local.export import export as export
from .local.remove import GcSummary as GcSummary
from .local.remove import RemoveSummary as RemoveSummary
from .local.remove import gc as gc
from .local.remove import remove as remove
from .local.sample import Sample as Sample
from .local.sample import sample as sample
from .local.sample import samples as samples
from .local.tokenizer import train_tokenizer as train_tokenizer
from .report.inspect import Rejects as Rejects
from .report.inspect import Templates as Templates
from .report.inspect import inspect_rejects as inspect_rejects
from .report.inspect import inspect_templates as inspect_templates
from .report.status import Status as Status
from .report.status import status as status
from .report.tokens import Tokens as Tokens
from .report.tokens import inspect_tokens as inspect_tokens
from .samplewiki import write_sample_wiki as write_sample_wiki
from .scan import scan_articles as scan_articles
from .scan import scan_decisions as scan_decisions
from .scan import scan_documents as scan_documents
from .scan import scan_evals as scan_evals
from .scan import scan_metrics as scan_metrics
from .scan import scan_signatures as scan_signatures
from .scan import scan_tokens as scan_tokens
from .summary import Summary as Summary
from .tokens import articles_to_tokens as articles_to_tokens
from .wikitext import CleanText as CleanText
from .wikitext import clean_wikitext as clean_wikitext
from .wikitext import pages_to_articles as pages_to_articles
from .wikitext import template as template

__version__: str
