"""Many files side by side: map, a pipeline for each, and one summary."""

import csv
import os

from flowbook import Flow, task, unmapped
from flowbook.executors import LocalDaskExecutor

for city, values in {"delft": [1, 2], "leiden": [3, 4, 5], "gouda": [6]}.items():
    with open(f"{city}.csv", "w", newline="") as file:
        csv.writer(file).writerows([[value] for value in values])


@task
def find(folder):
    return sorted(name for name in os.listdir(folder) if name.endswith(".csv"))


@task
def read(name, folder):
    with open(os.path.join(folder, name), newline="") as file:
        return [int(row[0]) for row in csv.reader(file)]


@task
def mean(values):
    return sum(values) / len(values)


@task
def summary(names, means):
    return dict(zip(names, means))


folder = os.getcwd()
with Flow("all files") as flow:
    names = find(folder)
    rows = read.map(names, folder=unmapped(folder))
    means = mean.map(rows)
    result = summary(names, means)

flow.executor = LocalDaskExecutor(scheduler="threads")
state = flow.run()
assert state.is_successful()
assert state.result[result].result == {"delft.csv": 1.5, "gouda.csv": 6.0, "leiden.csv": 4.0}
