"""Real JupyterLab and Notebook 7 servers, driven by a real Chromium. Start reading at conftest.py."""
