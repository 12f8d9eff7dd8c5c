# The public names, each with the module that it is loaded from when it is first used.

from .encodings import Encoding as Encoding
from .encodings import find_vocabulary as find_vocabulary
from .encodings import load_encoding as load_encoding
from .encodings import read_vocabulary as read_vocabulary
from .encodings import vocabulary_path as vocabulary_path
from .fast import BackendFailed as BackendFailed
from .fast import check_sample as check_sample
from .fast import fast_encoding as fast_encoding
from .huggingface import tokenizer_config as tokenizer_config
from .huggingface import tokenizer_json as tokenizer_json
from .lengths import byte_lengths as byte_lengths
from .lengths import corpus_byte_lengths as corpus_byte_lengths
from .table import articles_to_tokens as articles_to_tokens
from .table import splits as splits
from .vocabulary import train_bpe as train_bpe
