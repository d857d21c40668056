"""Ready tasks put together: a command, a template, a database, files."""

import os
from pathlib import Path

from flowbook import Flow, Parameter, Task, task
from flowbook.tasks.database import SQLiteQuery, SQLiteScript
from flowbook.tasks.files import Copy, Glob, Unzip, Zip
from flowbook.tasks.shell import ShellTask
from flowbook.tasks.templates import JinjaTemplate, StringFormatter
from flowbook.utilities.tasks import defaults_from_attrs

shell = ShellTask(helper_script="cd data", return_all=True)
create = SQLiteScript(db="t.db", script="CREATE TABLE t (name TEXT); INSERT INTO t VALUES ('a'), ('b');")
select = SQLiteQuery(db="t.db", query="SELECT name FROM t WHERE name > ?")
message = StringFormatter(name="message", template="{n} files in {flow_name}")
page = JinjaTemplate(template="{% for row in rows %}- {{ row[0] }}\n{% endfor %}")


class Repeat(Task):
    def __init__(self, times=2, **kwargs):
        self.times = times
        super().__init__(**kwargs)

    @defaults_from_attrs("times")
    def run(self, text, times=None):
        return text * times


@task
def count(lines):
    return len(lines)


os.mkdir("data")
for name in ("x.csv", "y.csv"):
    Path("data", name).write_text(name)

with Flow("library") as flow:
    listed = shell(command=Parameter("command", default="ls"))
    said = message(n=count(listed))
    rows = select(data=("a",), upstream_tasks=[create])
    made = page(rows=rows)
    packed = Zip()(source_path="data", zip_path="data.zip")
    unpacked = Unzip(extract_dir="out")(zip_path=packed)
    found = Glob(pattern="**/*.csv")(path=unpacked)
    copied = Copy()(source_path=found[0], target_path="copy.csv")
    repeated = Repeat()(said, times=1)

state = flow.run()
assert state.is_successful()
assert state.result[listed].result == ["x.csv", "y.csv"]
assert state.result[repeated].result == "2 files in library"
assert state.result[made].result == "- b\n"
assert Path("copy.csv").read_text() == "x.csv"
failed = flow.run(command="ls | wc -l; exit 7")
assert failed.is_failed()
assert "7" in failed.result[listed].message
