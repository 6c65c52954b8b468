"""Which language a text is written in: by script, then by frequent words and telling letters.

It reads the first 1,000 characters of a sample, for the script 500. Words are counted once each,
and a word that several languages share counts for each of them by so much less.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping

from llmroute.policy.facts.text import Text, word_set

__all__ = ["LANGUAGES", "language"]

#: Characters and words that are looked at.
_START, _FIRST = 1_000, 150
_SCRIPT_START = 500
#: What a word of one letter says: it may be a variable, or stand behind an apostrophe.
_LONE = 0.5

_FREQUENT = {
    "en": "the and of to in is that it for with this what how are you be was not on as at by from "
    "have has can do does did which who why when where please i my your if an or we they will "
    "would should there its he she his her their hello hi hey thanks write explain a me thank "
    "translate summarize s t than been were had into per over more each following give list fix "
    "yes good best rewrite show tell make need find help get three",
    "de": "der die das und ist nicht ein eine einen mit für auf wie was ich sie zu den dem des im "
    "von es wir kann auch bei oder warum bitte sind hat wird mir meine dieser einer aus um nach "
    "über welche wann wo wer gibt hallo danke diesen diesem ins fasse zusammen übersetze "
    "Übersetze erkläre schreibe guten",
    "fr": "le la les et est une des dans pour que qui pas vous avec sur un du ce je il elle nous "
    "comment pourquoi quel quelle par au aux sont mon cette ou plus bonjour en de quelles être qu "
    "écris Écris moi merci beaucoup s t tu toi peux ai besoin combien donne traduis résume Résume "
    "explique texte",
    "es": "el los las y es una en para que con por como del qué se la de un lo su cómo cuál está "
    "son más pero este esta mi quién dónde hola no al me puede explica escribe cuándo gracias "
    "traduce texto cuánto dame hazme buenos días necesito ayuda resumen",
    "it": "il gli e è una per che di non con come sono della cosa si la un del in le i perché nel "
    "alla dei quale più questo questa mi qual dove chi ciao anche da scrivi spiega grazie traduci "
    "quanto dammi fammi buongiorno aiutami riassumi testo",
    "pt": "o os as e é uma em para que com não por como do da um qual no na dos das mais se eu "
    "você são foi isso este esta onde quando olá ao meu minha escreva explique obrigado obrigada "
    "traduza quanto bom dia preciso ajude resuma texto",
    "nl": "de het een en is van niet met voor op wat hoe ik dat zijn in te er aan die je waarom "
    "ook naar deze maar om bij of kan dit mijn hallo schrijf welke wordt heeft bedankt vertaal "
    "hoeveel geef help tekst",
    "pl": "i w na nie jest się że z do to jak co czy dla po od przez są jaki która który dlaczego "
    "mi proszę ale gdzie kiedy oraz tym tego dziękuję ile napisz przetłumacz",
    "cs": "a je v na se že jak co pro z to do si s k ale jako jsou který která proč kde kdy mi "
    "prosím není nebo při děkuji kolik napiš přelož",
    "sv": "och är att det som en på för inte med av den ett jag hur vad till om har kan du från "
    "varför eller vi mig när hej tack mycket skriv översätt Översätt",
    "da": "og er at det som en på for ikke med af den et jeg hvordan hvad til om har kan du fra "
    "hvorfor eller vi mig når hej hvor meget skriv oversæt",
    "fi": "ja on ei se että kuin mitä miten ovat olen tämä miksi mutta tai minä kun joka voi hän "
    "onko missä kiitos kirjoita käännä",
    "hu": "a az és hogy nem egy van ez mi is mit hogyan miért meg vagy kell lehet hol kérlek "
    "köszönöm írj Írj fordítsd",
    "ro": "și este în de la nu un o cu pe ce care pentru cum din sunt mai să am cine unde când "
    "scrie mulțumesc",
    "tr": "ve bir bu için ne mi nasıl da de ile çok var nedir olarak daha gibi neden mı değil "
    "kadar ben bana lütfen teşekkürler yaz çevir",
    "vi": "là và của có không cho một những được trong với các tôi này như thế nào gì bạn hãy",
    "id": "dan yang di ini itu dengan untuk apa tidak dari dalam adalah bagaimana ke saya pada "
    "akan atau mengapa bisa tolong terima kasih tulis terjemahkan",
}
_SETS: Mapping[str, frozenset[bytes]] = {code: word_set(text) for code, text in _FREQUENT.items()}
_ALL = frozenset[bytes]().union(*_SETS.values())
_OWNERS: Mapping[bytes, tuple[str, ...]] = {
    word: tuple(code for code, words in _SETS.items() if word in words) for word in _ALL
}
#: Letters that few of these languages have, each worth as much as a frequent word.
_TELLING = {
    "ß": "de",
    "ä": "de fi sv",
    "ü": "de tr hu",
    "œ": "fr",
    "ê": "fr pt",
    "ç": "fr pt tr",
    "ñ": "es",
    "¿": "es",
    "ã": "pt",
    "õ": "pt",
    "ł": "pl",
    "ą": "pl",
    "ę": "pl",
    "ř": "cs",
    "ů": "cs",
    "ě": "cs",
    "å": "sv da",
    "æ": "da",
    "ø": "da",
    "ő": "hu",
    "ű": "hu",
    "ă": "ro vi",
    "ș": "ro",
    "ț": "ro",
    "ğ": "tr",
    "ı": "tr",
    "ş": "tr",
    "đ": "vi",
    "ơ": "vi",
    "ư": "vi",
}
_LETTERS = tuple((letter, tuple(codes.split())) for letter, codes in _TELLING.items())

_NO_LETTERS = bytes(i for i in range(256) if not (65 <= i < 91 or 97 <= i < 123))
_NO_FIRSTS = bytes(range(0xCD))
#: First bytes (UTF-8) of the letters of a script; the ones with two bytes are told apart by both.
_SCRIPTS: Mapping[str, tuple[bytes, ...]] = {
    "el": (b"\xce", b"\xcf"),
    "ru": (b"\xd0", b"\xd1"),
    "hy": (b"\xd4", b"\xd5"),
    "he": (b"\xd7",),
    "ar": (b"\xd8", b"\xd9", b"\xda", b"\xdb"),
    "hi": (b"\xe0\xa4", b"\xe0\xa5"),
    "bn": (b"\xe0\xa6", b"\xe0\xa7"),
    "ta": (b"\xe0\xae", b"\xe0\xaf"),
    "te": (b"\xe0\xb0", b"\xe0\xb1"),
    "th": (b"\xe0\xb8", b"\xe0\xb9"),
    "ka": (b"\xe1\x83",),
    "ja": (b"\xe3\x81", b"\xe3\x82", b"\xe3\x83"),
    "zh": (b"\xe4", b"\xe5", b"\xe6", b"\xe7", b"\xe8", b"\xe9"),
    "ko": (b"\xea", b"\xeb", b"\xec", b"\xed"),
}
#: What one character of a script says beside one Latin letter.
_DENSE = {"zh": 3, "ja": 3, "ko": 2}
#: Kana among Japanese characters; less is Chinese that quotes some.
_KANA = 0.05
#: Letters that tell languages of one script from the usual one.
_NEIGHBOURS = {"ru": (("uk", "іїєґ"),), "ar": (("ur", "ٹڈڑے"), ("fa", "پچژگ"))}

#: Every code that `language` can answer.
LANGUAGES = tuple(sorted({*_SETS, *_SCRIPTS, "uk", "fa", "ur"}))


def language(text: Text) -> str | None:
    """Return the ISO 639-1 code of a text's main language, None where nothing tells."""
    start = text.sample[:_START]
    if not start.isascii():
        code = _by_script(start[:_SCRIPT_START])
        if code:
            return code
    return _by_words(text, start)


def _by_script(start: str) -> str | None:
    """Return the language of a script that makes up as much of a text as Latin letters do."""
    data = start.encode("utf-8", "surrogatepass")
    latin = len(data.translate(None, _NO_LETTERS))
    if 3 * len(data.translate(None, _NO_FIRSTS)) < latin:
        return None
    counts = {
        code: sum(data.count(first) for first in firsts if first[0] in data)
        for code, firsts in _SCRIPTS.items()
    }
    if counts["ja"] >= _KANA * (counts["ja"] + counts["zh"]):
        counts["ja"] += counts["zh"]
    else:
        counts["zh"] += counts["ja"]
    best = max(counts, key=lambda code: counts[code])
    if not counts[best] or counts[best] * _DENSE.get(best, 1) < latin:
        return None
    others = _NEIGHBOURS.get(best, ())
    return next((code for code, letters in others if any(c in start for c in letters)), best)


def _by_words(text: Text, start: str) -> str | None:
    scores: defaultdict[str, float] = defaultdict(float)
    for word in _ALL.intersection(text.words[:_FIRST]):
        owners = _OWNERS[word]
        weight = _LONE if len(word) == 1 else 1.0
        for code in owners:
            scores[code] += weight / len(owners)
    if not start.isascii():
        for letter, codes in _LETTERS:
            if letter in start:
                for code in codes:
                    scores[code] += 1 / len(codes)
    return max(_SETS, key=lambda code: scores[code]) if scores else None
