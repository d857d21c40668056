"""Extract, transform, load: first as functions, then as a flow of tasks."""

import csv
import json

from flowbook import Flow, task

with open("values.json", "w") as file:
    json.dump([1, 2, 3], file)


@task
def extract(path):
    with open(path) as file:
        return json.load(file)


@task
def transform(data):
    return [{"value": number, "scaled": number * 10} for number in data]


@task
def load(rows, path):
    with open(path, "w", newline="") as file:
        writer = csv.DictWriter(file, ["value", "scaled"])
        writer.writeheader()
        writer.writerows(rows)


# by hand
load.run(transform.run(extract.run("values.json")), "by_hand.csv")

# as a flow
with Flow("ETL") as flow:
    data = extract("values.json")
    rows = transform(data)
    load(rows, "values.csv")

assert flow.run().is_successful()
with open("values.csv") as one, open("by_hand.csv") as other:
    assert one.read() == other.read()
