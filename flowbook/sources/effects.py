"""Hidden state that cells share without a name for it: chance, disk, process, settings, the current figure.

>>> effect_of("numpy.random.seed")
('random', True)
>>> effect_of("os.listdir")
('files', False)
>>> effect_of("numpy.mean") is None
True
"""

from __future__ import annotations

from functools import lru_cache

from flowbook.sources.knowledge import words

CHANGE, LOOK = True, False

# Dotted path -> effect; the longest known beginning of a path counts. "" is a known innocence inside.
_CHANGES = {
    "random": """
        random numpy.random torch.manual_seed torch.rand torch.randn torch.randint torch.randperm
        torch.normal torch.bernoulli torch.cuda.manual_seed torch.cuda.manual_seed_all torch.seed torch.nn
        torch.utils.data tensorflow.random tensorflow.keras.utils.set_random_seed scipy.stats.rvs secrets
        uuid.uuid1 uuid.uuid4
        """,
    "files": """
        shutil os.remove os.unlink os.rename os.replace os.mkdir os.makedirs os.rmdir os.removedirs
        os.symlink os.link os.open os.truncate os.utime os.chmod os.chown numpy.save numpy.savez
        numpy.savez_compressed numpy.savetxt numpy.memmap json.dump pickle.dump joblib.dump torch.save
        tempfile sqlite3.connect duckdb zipfile tarfile shelve.open imageio.imwrite cv2.imwrite
        matplotlib.pyplot.savefig matplotlib.pyplot.imsave pandas.ExcelWriter pandas.HDFStore
        urllib.request.urlretrieve gzip.open bz2.open lzma.open io.open os.system os.popen os.startfile
        webbrowser subprocess
        """,
    "process": """
        os.chdir os.environ.update os.environ.setdefault os.environ.pop os.environ.clear os.putenv
        os.unsetenv os.umask os.fork os.kill os.system os.popen os.write os.exec os._exit os.abort os.nice os.setpgrp
        signal subprocess sys.path.append sys.path.insert sys.path.extend sys.path.remove sys.path.pop
        sys.modules.pop sys.exit sys.setrecursionlimit sys.settrace sys.setprofile sys.path_hooks
        sys.meta_path sys.displayhook sys.excepthook atexit multiprocessing.set_start_method gc resource
        locale threading faulthandler site asyncio.set_event_loop importlib.invalidate_caches time.tzset
        socket.setdefaulttimeout
        """,
    "settings": """
        matplotlib.pyplot.rcParams.update matplotlib.pyplot.rc matplotlib.pyplot.rcdefaults
        matplotlib.pyplot.style matplotlib.pyplot.ion matplotlib.pyplot.ioff
        matplotlib.pyplot.switch_backend matplotlib.pyplot.rc_context matplotlib.pyplot.set_cmap
        matplotlib.pyplot.set_loglevel matplotlib.rcParams.update matplotlib.rc matplotlib.style
        matplotlib.use matplotlib.rcdefaults matplotlib.rc_context matplotlib.font_manager
        matplotlib.set_loglevel matplotlib_inline pandas.set_option pandas.reset_option
        pandas.option_context pandas.plotting.register_matplotlib_converters numpy.set_printoptions
        numpy.seterr numpy.printoptions numpy.errstate numpy.set_string_function warnings logging
        seaborn.set seaborn.set_theme seaborn.set_style seaborn.set_context seaborn.set_palette
        seaborn.set_color_codes seaborn.reset_orig seaborn.reset_defaults plotly.io.templates
        plotly.io.renderers torch.set_default_dtype torch.set_printoptions torch.set_num_threads
        torch.set_default_device torch.set_grad_enabled torch.use_deterministic_algorithms torch.backends
        tensorflow.config sklearn.set_config decimal.getcontext decimal.setcontext decimal.localcontext
        tensorflow.get_logger IPython.display.set_matplotlib_formats locale.setlocale holoviews.extension
        hvplot.extension bokeh.io.output_notebook altair.data_transformers altair.renderers polars.Config
        sys.setrecursionlimit
        """,
    "plot": "matplotlib.pyplot seaborn pandas.plotting pylab mplfinance",
}
_LOOKS = {
    "files": """
        os.listdir os.scandir os.walk os.stat os.access os.path.exists os.path.isfile os.path.isdir
        os.path.getsize os.path.getmtime os.path.islink os.path.realpath glob numpy.load numpy.loadtxt
        numpy.genfromtxt numpy.fromfile json.load pickle.load joblib.load torch.load pandas.read_csv
        pandas.read_table pandas.read_excel pandas.read_json pandas.read_parquet pandas.read_pickle
        pandas.read_hdf pandas.read_feather pandas.read_sql pandas.read_sql_query pandas.read_sql_table
        pandas.read_fwf pandas.read_html pandas.read_xml pandas.read_orc pandas.read_stata pandas.read_sas
        pandas.read_spss seaborn.load_dataset matplotlib.pyplot.imread imageio.imread cv2.imread
        PIL.Image.open polars.read_csv polars.read_parquet polars.scan_csv geopandas.read_file
        xarray.open_dataset tomllib.load yaml.safe_load sklearn.datasets.fetch_openml linecache
        runpy.run_path
        """,
    "process": """
        os.environ sys.path sys.argv sys.stdout sys.stderr sys.stdin sys.modules os.getcwd os.getenv
        os.getpid os.cpu_count os.path.abspath os.path.expanduser os.path.expandvars pathlib.Path.cwd
        sys.executable platform sys.flags multiprocessing.current_process
        """,
    "settings": """
        matplotlib.pyplot.rcParams matplotlib.rcParams pandas.options pandas.get_option
        pandas.describe_option numpy.get_printoptions numpy.geterr matplotlib.get_backend
        """,
}
_NONE = """
    numpy.random.default_rng numpy.random.RandomState numpy.random.Generator numpy.random.SeedSequence
    numpy.random.PCG64 numpy.random.MT19937 random.Random random.SystemRandom matplotlib.pyplot.cm
    matplotlib.pyplot.Axes matplotlib.pyplot.Figure matplotlib.pyplot.Normalize seaborn.color_palette
    seaborn.husl_palette matplotlib.pyplot.get_cmap subprocess.PIPE subprocess.CalledProcessError
    subprocess.DEVNULL subprocess.STDOUT tempfile.gettempdir threading.Lock threading.RLock threading.local
    threading.Event threading.current_thread logging.getLogger logging.INFO logging.DEBUG logging.WARNING
    logging.ERROR warnings.warn sys.path.index torch.nn.functional torch.nn.Module secrets.compare_digest
    shutil.which zipfile.BadZipFile gc.get_count signal.SIGINT
    signal.SIGTERM
    """
# A seed given in the call makes a draw the caller's own: train_test_split(x, y, random_state=1).
_DRAWS_UNLESS_SEEDED = words(
    """
    sklearn.model_selection.train_test_split sklearn.utils.resample sklearn.utils.shuffle
    scipy.stats.bootstrap train_test_split resample
    """
)
SEEDS = frozenset(["random_state", "seed", "rng", "generator"])

# An effect that feels another: files are found from the working directory, plots drawn with the settings.
FEELS = {"files": ("process",), "plot": ("settings",)}


def _table() -> dict[str, tuple[str, bool] | None]:
    table: dict[str, tuple[str, bool] | None] = {}
    for kinds, change in ((_LOOKS, LOOK), (_CHANGES, CHANGE)):
        for effect, paths in kinds.items():
            # subprocess stands in two rows; `also_of` knows the second.
            table |= dict.fromkeys(paths.split(), (effect, change))
    return table | dict.fromkeys(_NONE.split())


_TABLE = _table()
_ALSO = {
    "subprocess": "files",
    "os.system": "files",
    "os.popen": "files",
    "matplotlib.pyplot.savefig": "plot",
}


@lru_cache(maxsize=4096)
def effect_of(path: str) -> tuple[str, bool] | None:
    """The effect of using what a dotted path names, and whether it changes the state or only looks."""
    while path:
        if path in _TABLE:
            return _TABLE[path]
        path = path.rpartition(".")[0]
    return None


@lru_cache(maxsize=4096)
def also_of(path: str) -> str | None:
    """The second effect of the few functions that have two."""
    while path:
        if path in _ALSO:
            return _ALSO[path]
        path = path.rpartition(".")[0]
    return None


def draws_unless_seeded(path: str) -> bool:
    """Whether a function of this path uses the global generator when it is given no seed."""
    return path in _DRAWS_UNLESS_SEEDED
