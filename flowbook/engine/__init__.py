"""The engine: a pure machine decides, a thin runner carries out, one ordered list of events tells everybody.

Start reading at `flowbook.engine.machine`.
"""
