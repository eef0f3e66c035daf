"""Added tokens, from the three files that may list them."""

from camelid.errors import InvalidModelFileError
from camelid_gguf.documents import MOST, Document
from camelid_gguf.folder import SourceFolder
from camelid_gguf.tokenizers.vocabulary import AddedToken

__all__ = ("added_tokens",)


def added_tokens(folder: SourceFolder, tokenizer: Document) -> list[AddedToken]:
    """Each added token once; tokenizer.json knows best, then tokenizer_config.json, then added_tokens.json.

    Raises:
        InvalidModelFileError: a file is malformed.
    """
    found: dict[int, AddedToken] = {}
    plain = folder.optional("added_tokens.json")
    for text in plain.values:
        number = plain.count(text, least=0)
        found[number] = AddedToken(number, text, special=False)
    listed = folder.optional("tokenizer_config.json").section("added_tokens_decoder")
    for key in listed.values:
        if not key.isdecimal() or not key.isascii() or int(key) > MOST:
            raise InvalidModelFileError(f'{listed.name}: "{key[:40]}" is no number of a token')
        entry = listed.section(key)
        found[int(key)] = _token(int(key), entry)
    for entry in tokenizer.sections("added_tokens"):
        number = entry.count("id", least=0)
        found[number] = _token(number, entry)
    return list(found.values())


def _token(number: int, entry: Document) -> AddedToken:
    return AddedToken(number, entry.text("content"), entry.flag("special", default=False))
