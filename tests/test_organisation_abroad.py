"""Workbooks of whole organisations as people write them: other languages, blank rows, names spelled loosely."""

from pathlib import Path
from typing import Any

import pytest
from openpyxl import Workbook

from etl.mapping import FITS, guess
from etl.mapping.detection.titles import resource_of
from etl.readers import ReadOptions, open_source
from etl.resources import Contract
from tests.sandbox_talk import talking
from tests.sandboxed_command import run, started

__all__ = ["started"]

Sheets = dict[str, list[list[object]]]
BLANK: list[object] = [None, None]
GERMAN: Sheets = {
    "Hinweise": [["Bitte nicht ändern! Stand 12.3."], ["Fragen an Petra"]],
    "Läufe": [
        ["Name des Laufs", "Testset", "Agent", "Persona"],
        ["Erster Lauf", " rechnungen ", "HOTLINE 1", "ruhige anruferin"],
        BLANK,
        ["Zweiter Lauf", "Lieferung", "Chat-Bot ", "Wütender Anrufer"],
    ],
    "Vorlagen": [
        ["Beschreibung", "Testset", "Persona", "Agent", "Vorlage", "Wiederholungen", "Parallel"],
        ["x", "Rechnungen", "Ruhige Anruferin", "Hotline 1", "Nächtlich", 2, 3],
        BLANK,
        ["y", "LIEFERUNG", "Wütender Anrufer", "hotline 2", "Wöchentlich", 1, 1],
        ["z", "lieferung", "ruhige  anruferin", "Chat-Bot", "Monatlich", 1, None],
    ],
    "Testfälle 2026": [
        ["Testfälle Kundendienst"],
        BLANK,
        ["Nr.", "Erwartetes Verhalten", "Testset", "Eingabe", "Beschreibung"],
        *(
            [f"{n:03d}", f"- Sucht Rechnung {n}\n- Liest sie vor", ("Rechnungen", "lieferung ")[n % 2], f"Wo ist {n}?"]
            if n % 7
            else BLANK
            for n in range(1, 36)
        ),
    ],
    "Agenten": [
        ["Telefonnummer", "Bezeichnung", "Typ", "Testsets", "Sprache", "Chat-Endpunkt"],
        ["+49301234561", "Hotline 1", "Sprache", "Rechnungen, Lieferung", "de", None],
        ["+49301234562", "Hotline 2", "Voice", "Lieferung", "de", None],
        [None, "Chat-Bot", "Chat", "rechnungen", "de", "https://bot.example.com/chat"],
    ],
    "Personas": [
        ["Stimme", "Sprache", "Name"],
        ["aria", "de-DE", "Ruhige Anruferin"],
        ["callum", "de-DE", "Wütender Anrufer"],
    ],
    "Testsets": [
        ["Beschreibung", "Bezeichnung", "Kürzel"],
        ["Alles zu Rechnungen", "Rechnungen", "rechnungen"],
        ["Pakete", "Lieferung", None],
    ],
}
SPANISH: Sheets = {
    "Ejecuciones": [
        ["Nombre", "Agente", "Persona", "Conjunto de pruebas"],
        ["Uno", "SOPORTE", "Tranquila", "Entregas"],
    ],
    "Plantillas": [
        ["Nombre de la plantilla", "Agente", "Persona", "Conjunto de pruebas", "Repeticiones"],
        ["Nocturna", "soporte", "TRANQUILA", "entregas ", 2],
    ],
    "Casos de prueba": [
        ["Conjunto de pruebas", "Entrada", "Resultado esperado"],
        *([("facturación", "ENTREGAS")[n % 2], f"¿Dónde está {n}?", f"Busca {n}"] for n in range(10)),
    ],
    "Agentes": [
        ["Nombre", "Teléfono", "Tipo de modelo", "Conjuntos de pruebas"],
        ["Soporte", "+34911234567", "voz", "Facturación; Entregas"],
    ],
    "Personas": [["Nombre", "Voz", "Idioma"], ["Tranquila", "aria", "es-ES"]],
    "Conjuntos de pruebas": [["Descripción", "Nombre"], ["Facturas", "Facturación"], ["Paquetes", "Entregas"]],
}


def write(path: Path, sheets: Sheets) -> None:
    book = Workbook()
    book.remove(book.worksheets[0])
    for title, rows in sheets.items():
        sheet = book.create_sheet(title)
        for row in rows:
            sheet.append(row)
    book.save(path)


def the_one(item: dict[str, Any], name: str) -> str:
    return str(item[name] if name in item else item[f"{name}s"][0])


@pytest.mark.parametrize(
    ("sheets", "contract", "rows", "templates", "sizes"),
    [
        (
            GERMAN,
            Contract.V2026_10,
            42,
            {
                "Nächtlich": ("Hotline 1", "Ruhige Anruferin", "Rechnungen"),
                "Wöchentlich": ("Hotline 2", "Wütender Anrufer", "Lieferung"),
                "Monatlich": ("Chat-Bot", "Ruhige Anruferin", "Lieferung"),
            },
            {"Rechnungen": 15, "Lieferung": 15},
        ),
        (
            SPANISH,
            Contract.V2025_10,
            16,
            {"Nocturna": ("Soporte", "Tranquila", "Entregas")},
            {"Facturación": 5, "Entregas": 5},
        ),
    ],
    ids=["german", "spanish"],
)
async def test_an_organisation_is_imported_in_one_command_in_whatever_language(
    sheets: Sheets,
    contract: Contract,
    rows: int,
    templates: dict[str, tuple[str, ...]],
    sizes: dict[str, int],
    tmp_path: Path,
) -> None:
    write(tmp_path / "book.xlsx", sheets)
    call = ("import", "book.xlsx", "--yes", "--json", "--contract", contract.value)
    async with talking(contract) as talk:
        said = await run(tmp_path, talk, *call)
        again = await run(tmp_path, talk, *call)
        sets = {one["id"]: one["display_name"] for one in await talk.items("/test-sets")}
        agents = {one["id"]: one["display_name"] for one in await talk.items("/agents")}
        personas = {one["id"]: one["name"] for one in await talk.items("/personas")}
        found = await talk.items("/run-templates")
        cases = [sets[one["test_set_id"]] for one in await talk.items("/test-cases", page_size=100)]
        runs = await talk.items("/runs")
    assert (said.code, said.json["rows"]["created"]) == (0, rows), said.err
    assert (again.code, again.json["rows"]["unchanged"], again.json["requests"]["sent"]) == (0, rows, 0), again.err
    assert {
        one["display_name"]: (
            agents[the_one(one, "agent_id")],
            personas[the_one(one, "persona_id")],
            sets[the_one(one, "test_set_id")],
        )
        for one in found
    } == templates
    assert {name: cases.count(name) for name in sizes} == sizes
    assert len(runs) == len([row for row in sheets.get("Läufe", sheets.get("Ejecuciones", []))[1:] if any(row)])


@pytest.mark.parametrize(
    ("title", "resource"),
    [
        ("Agents", "agents"),
        ("2. Test cases (2026)", "test-cases"),
        ("testfälle", "test-cases"),
        ("Run Templates", "run-templates"),
        ("Ejecuciones", "runs"),
        ("Sheet1", None),
        ("Test results", None),
        ("2026", None),
        (None, None),
    ],
)
def test_the_title_of_a_sheet_says_what_it_holds(title: str | None, resource: str | None) -> None:
    assert resource_of(title) == resource


@pytest.mark.parametrize(
    ("title", "header", "resource"),
    [
        ("Agents", ["Name", "Type", "Phone", "Test set"], "agents"),
        ("Test sets", ["Name", "Description"], "test-sets"),
        ("Test sets", ["Test set", "Input", "Expected behaviors"], "test-cases"),
        ("Runs", ["Test case", "Input", "Expected behaviors", "Actual"], "test-cases"),
    ],
)
def test_a_title_tips_the_balance_and_many_columns_outweigh_it(
    title: str, header: list[object], resource: str, tmp_path: Path
) -> None:
    rows = [["voice" if name == "Type" else f"{name} {n}" for name in header] for n in range(2)]
    write(tmp_path / "book.xlsx", {title: [header, *rows]})
    with open_source(str(tmp_path / "book.xlsx"), ReadOptions()) as survey:
        (table,) = survey.tables
        best, *others = guess(table.origin, table.sample)
    assert best.mapping.resource == resource
    assert best.score >= FITS
    assert all(one.score < best.score for one in others if one.mapping.resource != resource)
