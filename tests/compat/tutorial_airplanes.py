"""Reference data once, live data for a region by parameters, both loaded into a database; local data stands for the API."""

import datetime
import random
import sqlite3

from flowbook import Flow, Parameter, task

AIRPORTS = {"AMS": (52.3, 4.8), "RTM": (51.9, 4.4), "CDG": (49.0, 2.5)}
rng = random.Random(1)
failures = iter([ConnectionError("offline")])


@task
def extract_reference():
    return [{"code": code, "lat": lat, "lon": lon} for code, (lat, lon) in AIRPORTS.items()]


@task(max_retries=3, retry_delay=datetime.timedelta(milliseconds=10))
def extract_live(airport, radius, reference):
    for failure in failures:
        raise failure
    here = next(row for row in reference if row["code"] == airport)
    return [
        {"id": number, "lat": here["lat"] + rng.uniform(-radius, radius), "height": rng.choice([None, 3000, 9000])}
        for number in range(20)
    ]


@task
def transform(planes):
    return [plane for plane in planes if plane["height"] is not None]


@task
def load_reference(rows):
    with sqlite3.connect("air.db") as db:
        db.execute("CREATE TABLE IF NOT EXISTS airports (code TEXT PRIMARY KEY, lat REAL, lon REAL)")
        db.executemany("INSERT OR REPLACE INTO airports VALUES (:code, :lat, :lon)", rows)
    db.close()


@task
def load_live(planes):
    with sqlite3.connect("air.db") as db:
        db.execute("CREATE TABLE IF NOT EXISTS planes (id INT, lat REAL, height INT)")
        db.executemany("INSERT INTO planes VALUES (:id, :lat, :height)", planes)
    db.close()
    return len(planes)


def main():
    with Flow("air traffic") as flow:
        airport = Parameter("airport", default="AMS")
        radius = Parameter("radius", default=1.0)
        reference = extract_reference()
        live = extract_live(airport, radius, reference)
        planes = transform(live)
        stored = load_reference(reference)
        loaded = load_live(planes, upstream_tasks=[stored])

    state = flow.run(parameters={"airport": "RTM", "radius": 0.5})
    assert state.is_successful()
    with sqlite3.connect("air.db") as db:
        assert db.execute("SELECT count(*) FROM planes").fetchone() == (state.result[loaded].result,)
        assert db.execute("SELECT count(*) FROM airports").fetchone() == (3,)
    db.close()
    assert flow.run(airport="nowhere").result[live].is_failed()


if __name__ == "__main__":
    failures = iter([ConnectionError("offline")])
    main()
