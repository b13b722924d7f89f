"""What the title of a sheet says about its rows: one that is called Agents holds agents.

Must never know the columns.
"""

import re

from etl.mapping.cells.names import fold
from etl.resources import RESOURCES

_WORDS = {
    "agents": "Bots Assistants Agenten Agentes Agente Assistenten エージェント",
    "personas": "Persona Callers Personajes Anrufer Appelants ペルソナ",
    "test-sets": "Testsets Testsuites Test-suites Suites Testreihen Conjuntos-de-pruebas Suites-de-pruebas "
    "Conjuntos-de-testes Jeux-de-tests Suites-de-tests テストセット テストスイート",
    "test-cases": "Cases Testfälle Testfall Casos Casos-de-prueba Casos-de-teste Cas-de-test テストケース",
    "run-templates": "Templates Vorlagen Testvorlagen Plantillas Modelos Modèles テンプレート",
    "runs": "Läufe Testläufe Ejecuciones Execuções Exécutions 実行",
}
"""Words that people give to a sheet, beside the API's own; a hyphen is a blank."""
_EDGES = re.compile(r"^[\W\d_]+|[\W\d_]+$")
_RESOURCES = {
    fold(word): resource.name
    for resource in RESOURCES.values()
    for word in (resource.name, resource.singular, resource.plural, *_WORDS.get(resource.name, "").split())
}


def resource_of(title: str | None) -> str | None:
    """The resource that a sheet of this title holds (`2. Agents`, `Testfälle 2026`); None where it does not say."""
    return _RESOURCES.get(fold(_EDGES.sub("", title))) if title else None
