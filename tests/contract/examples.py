"""Validates every example of the description against its schema, formats included, and the workflows of the
documentation against theirs."""

import json
import pathlib
import sys

import jsonschema_rs

with open("core/openapi.json", encoding="utf-8") as file:
    DOCUMENT = json.load(file)

failures, checked = [], 0


def resolve(value):
    while "$ref" in value:
        target = DOCUMENT
        for name in value["$ref"].removeprefix("#/").split("/"):
            target = target[name.replace("~1", "/").replace("~0", "~")]
        value = target
    return value


def check(where, holder):
    """Checks the examples of a media type, a parameter or a header."""
    global checked
    schema = {**holder["schema"], "components": DOCUMENT["components"]}
    validator = jsonschema_rs.Draft202012Validator(schema, validate_formats=True)
    examples = [resolve(example)["value"] for example in holder.get("examples", {}).values()]
    if "example" in holder:
        examples.append(holder["example"])
    for example in examples:
        checked += 1
        failures.extend(f"{where}: {error.message}" for error in validator.iter_errors(example))


for path, operations in DOCUMENT["paths"].items():
    for method, operation in operations.items():
        where = f"{method} {path}"
        for parameter in map(resolve, operation.get("parameters", [])):
            check(f"{where}: {parameter['name']}", parameter)
        bodies = [operation["requestBody"]] if "requestBody" in operation else []
        responses = list(map(resolve, operation["responses"].values()))
        for part in bodies + responses:
            for media_type, content in part.get("content", {}).items():
                check(f"{where}: {media_type}", content)
        for response in responses:
            for name, header in response["headers"].items():
                check(f"{where}: {name}", resolve(header))

WORKFLOWS = sorted(pathlib.Path("docs/workflows").glob("*.json"))
SCHEMA = json.loads(pathlib.Path("docs/workflows/schema.json").read_text(encoding="utf-8"))
for path in WORKFLOWS:
    if path.name != "schema.json":
        checked += 1
        document = json.loads(path.read_text(encoding="utf-8"))
        found = jsonschema_rs.Draft202012Validator(SCHEMA, validate_formats=True).iter_errors(document)
        failures.extend(f"{path}: {error.message}" for error in found)
if len(WORKFLOWS) < 4:
    failures.append("docs/workflows lacks documents")

print(checked, "examples checked")
sys.exit("\n".join(failures) or 0)
