"""The same by hand: add tasks, bind data, order without data, then go on in a with block."""

from flowbook import Flow, Parameter, Task, task


class Add(Task):
    def __init__(self, default, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.default = default

    def run(self, x, y=None):
        return x + (self.default if y is None else y)


@task
def greet(person: str) -> str:
    return f"Hello, {person}!"


flow = Flow("by hand")
name = Parameter("name")
add = Add(default=1)
second = add.copy()

flow.add_task(add)
flow.add_task(second)
flow.add_task(greet)
greet.set_upstream(second, flow=flow)
add.bind(x=1, flow=flow)
second.bind(x=add, y=100, flow=flow)
greet.bind(person=name, flow=flow)

with flow:
    shouted = task(lambda text: text.upper(), name="shout")(greet)

state = flow.run(name="Marvin")
assert state.result[second].result == 102
assert state.result[shouted].result == "HELLO, MARVIN!"
assert flow.upstream_tasks(greet) == {second, name}
assert flow.root_tasks() == {add, name}
assert flow.terminal_tasks() == {shouted}
