"""What schemathesis can't see by itself: a feed is a document for each line."""

import json

import jsonschema_rs
import schemathesis


@schemathesis.check
def every_line_is_an_outcome(ctx, response, case):
    """The answer of GET /v1/outcomes, line by line, against the schema of a line."""
    if case.operation.label != "GET /v1/outcomes" or response.status_code != 200:
        return
    raw = case.operation.schema.raw_schema
    schema = {"$ref": "#/components/schemas/OutcomeLine", "components": raw["components"]}
    validator = jsonschema_rs.validator_for(schema)
    for line in response.text.splitlines():
        error = next(validator.iter_errors(json.loads(line)), None)
        if error is not None:
            raise AssertionError(f"{error.message}: {line}")
