"""Mojibake: found in ten languages however it came about, and never in what people write."""
# ruff: noqa: RUF001  # people write so

from pathlib import Path
from time import perf_counter

import polars as pl
import pytest

from etl.readers.mojibake import SUSPECT, repair
from tests.reading_talk import found, read, write_csv

SENTENCES = {
    "German": "Größe prüfen: „Übermäßig süß“, sagte Jörg – für 5 €.",
    "French": "« Où êtes-vous ? » — L’élève a déjà mangé un gâteau à Noël, cœur léger.",
    "Spanish": "¿Cuándo llegará mi pedido? ¡Mañana está bien, señor Núñez!",
    "Portuguese": "Não, a informação já está na ligação; às três, obrigação de São João.",
    "Polish": "Zażółć gęślą jaźń: oni są tą drogą w Łodzi.",
    "Turkish": "Şu çağrıyı değiştirin, İstanbul'da görüşürüz.",
    "Vietnamese": "Xin chào, tôi muốn đổi địa chỉ giao hàng, được không?",
    "Swedish": "Jag är på väg till Västerås, så småningom åker jag hem.",
    "Russian": "Здравствуйте, я хочу вернуть заказ.",
    "Japanese": "こんにちは、注文をキャンセルしたいです。",
    "Greek": "Καλημέρα, θέλω να ακυρώσω την παραγγελία.",
    "Arabic": "مرحبا، أريد إلغاء طلبي.",
    "Hindi": "नमस्ते, मैं अपना ऑर्डर रद्द करना चाहता हूँ।",
    "emoji": "That’s “great” 😀 – thanks…",
}
REAL = [
    *("NÃO", "INFORMAÇÕES E LIGAÇÃO", "AMANHÃ…", "A MINHA IRMû, “MANHÔ", "MAÇÃ»", "É ELA, A IRMÔ."),
    *("Il est arrivé\xa0»", "voilà\xa0», dit-il", "C’est à\xa0« lui »", "OÙ\xa0?", "déjà\xa0!", "ÇA\xa0?"),
    *("Viel Spaß“", "Ä… ja", "SÅ… ja", "Det är så…”", "Men så…”", "på…”", "KOÇ” dedi", "está»…", "LUNEDÌ…", "PERÙ”"),
    *("3×\xa04×\xa05", "2×½", "Ø\xa020 mm", "r = √π", "2√πr", "√Ω", "Wort—Änderung", "ESPAÑA™", "CAFÉ™", "PRICE £5"),
    *("ĂN CƠM CHƯA Ạ…", "TÔI KHÔNG BIẾT", "CĂN HỘ Â", "ROMÂNIA", "fûr", "naïve", "Ångström", "â ê î ô û", "Mañana…"),
]
NAMES = {"cp1252": "Windows-1252", "latin-1": "Windows-1252", "mac_roman": "Mac Roman"}


def damaged(text: str, codec: str) -> str:
    """UTF-8 read as another encoding; what Windows-1252 leaves open is what browsers make of it."""
    characters = (bytes([byte]).decode(codec, "replace") for byte in text.encode())
    return "".join(chr(byte) if one == "\ufffd" else one for byte, one in zip(text.encode(), characters, strict=True))


@pytest.mark.parametrize("text", [*SENTENCES.values(), *(text.upper() for text in SENTENCES.values()), *REAL])
def test_what_people_write_is_left_alone(text: str) -> None:
    assert repair(text) is None
    assert all(repair(word) is None for word in text.split())


@pytest.mark.parametrize("codec", NAMES)
@pytest.mark.parametrize("language", SENTENCES)
def test_a_sentence_is_known_again_however_it_was_damaged(language: str, codec: str) -> None:
    for text in (SENTENCES[language], SENTENCES[language].upper()):
        once = damaged(text, codec)
        repaired = repair(once)
        assert repaired is not None
        assert (repaired.text, repaired.taken_for) == (text, NAMES[codec])
        assert once[: repaired.place] == text[: repaired.place]
        again = repair(damaged(once, codec))
        assert again is not None
        assert again.text == text


def test_no_mojibake_passes_the_first_look() -> None:
    texts = [damaged(text, codec) for text in SENTENCES.values() for codec in NAMES]
    assert pl.Series(texts).str.contains(SUSPECT).all()


def test_the_warning_names_the_cell_and_the_text_that_it_was(tmp_path: Path) -> None:
    rows = [("1", "Ask for a cafÃ©, itâ€™s 5 â‚¬"), ("2", "Ask for a café"), ("3", f"{'x' * 300} CafÃ© {'y' * 300}")]
    batches = read(write_csv(tmp_path / "a.csv", list(rows), ("id", "input")))
    assert found(batches) == [(2, "mojibake", "input"), (4, "mojibake", "input")]
    first, second = batches[0].problems["message"]
    assert first == (
        'input holds "Ask for a cafÃ©, itâ€™s 5 â‚¬", UTF-8 that was read as Windows-1252; it was "Ask for a café, it’s'
        ' 5 €"; paste it again, or export the file again as UTF-8'
    )
    assert "xxx Café yyy" in second
    assert len(second) < 300


def test_a_secret_stays_one(tmp_path: Path) -> None:
    rows = [("abcÃ©", '{"api_key": "abcÃ©"}')]
    (batch,) = read(write_csv(tmp_path / "a.csv", list(rows), ("token", "input")))
    assert batch.problems["code"].to_list() == ["mojibake", "mojibake"]
    assert "abc" not in str(batch.problems.rows())


def test_it_is_found_in_nested_values(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text('{"id": 1, "turns": [{"role": "user", "text": "a cafÃ©"}]}\n{"id": 2, "turns": [{"text": "é"}]}\n')
    assert found(read(path)) == [(1, "mojibake", "turns")]


def test_clean_text_costs_one_look() -> None:
    cells = pl.Series(["Ask for a refund of the order, politely, and then hang up — très vite"] * 100_000)
    started = perf_counter()
    assert not cells.str.contains(SUSPECT).any()
    assert perf_counter() - started < 2
