"""The notebook: live pictures, buttons that work while a cell blocks, and cells that become tasks.

``%load_ext flowbook`` loads the magics; showing a flow or running one needs nothing to be loaded.
"""
