"""Files with their mappings, as the flags say, for the commands that send nothing. It must never ask the API."""

from etl.checking import Fitted, Inputs, choose_mappings, with_test_set
from etl.cli.options import Checking, Opening, Reading
from etl.resources import TEST_SETS, Contract


def fit(inputs: Inputs, opening: Opening, reading: Reading, checking: Checking, contract: Contract) -> list[Fitted]:
    """Every table with its mapping. A `--test-set` that is no id is left out: only the API knows the id of a name."""
    fitted = choose_mappings(
        inputs,
        contract,
        resource=reading.resource,
        mapping=reading.mapping,
        values=reading.values(),
        sheet_named=opening.sheet is not None,
    )
    if checking.test_set is None or not TEST_SETS.is_id(checking.test_set):
        return fitted
    return with_test_set(fitted, contract, checking.test_set)
