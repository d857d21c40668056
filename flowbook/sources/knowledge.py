"""What is known by heart about builtins, methods and libraries: tables, and the questions put to them.

A wrong entry makes a flow wrong, a missing one only makes it less parallel: only what is sure is listed.
"""

from __future__ import annotations

import builtins


def words(text: str) -> frozenset[str]:
    """The words of a table that is written as text, since a thousand quotation marks hide what they hold."""
    return frozenset(text.split())


# ---------------------------------------------------------------- builtins

# IPython puts these beside Python's own.
BUILTINS = frozenset(dir(builtins)) | {
    "display",
    "get_ipython",
    "exit",
    "quit",
    "__builtins__",
    "__name__",
    "__file__",
    "__doc__",
}
OPAQUE_BUILTINS = {
    "exec": "runs text as code",
    "eval": "runs text as code",
    "globals": "hands out the whole namespace",
    "locals": "hands out the whole namespace",
    "get_ipython": "talks to IPython itself",
    "__import__": "imports by a computed name",
}
# Modules that are everybody's: who holds them can see or change every name.
OPAQUE_MODULES = {"__main__": "hands out the whole namespace"}
# What everybody uses unseen: putting something else in its place is felt by every cell.
EVERYBODYS = ("sys.stdout", "sys.stderr", "sys.stdin", "sys.displayhook", "builtins")
# Methods that put a context in force until one of the others ends it, cells below maybe.
ENTERING_METHODS = frozenset(["__enter__", "__aenter__", "enter_context", "enter_async_context"])
LEAVING_METHODS = frozenset(["__exit__", "__aexit__", "close", "aclose"])
# Methods that may write into a database's file, unless their text only asks.
QUERYING_METHODS = frozenset(["execute", "executemany", "executescript"])
QUERIES = ("select", "pragma", "explain", "show", "describe")
LOGGING_METHODS = frozenset(["debug", "info", "warning", "error", "exception", "critical", "log"])
# What calls a function later, while other cells run.
BACKGROUND = frozenset(["threading.Thread", "threading.Timer", "asyncio.create_task", "asyncio.ensure_future"])
CLOCKS = words(
    """
    time.time time.time_ns time.perf_counter time.perf_counter_ns time.monotonic time.monotonic_ns
    time.process_time time.process_time_ns time.thread_time timeit.default_timer datetime.datetime.now
    datetime.datetime.utcnow datetime.datetime.today datetime.now datetime.utcnow datetime.today
    pandas.Timestamp.now pandas.Timestamp.today pandas.Timestamp.utcnow
    """
)
# Results that have nothing of their arguments; the calls change and print nothing.
FRESH_BUILTINS = words(
    """
    abs all any ascii bin bool bytes callable chr complex divmod float format hash hex id int isinstance
    issubclass len oct ord pow range repr round str type slice object print hasattr display input dir
    breakpoint exit quit help
    """
)
COPYING_BUILTINS = frozenset(["dict", "frozenset", "list", "set", "sorted", "sum", "tuple", "bytearray"])
CONSUMABLE_BUILTINS = frozenset(["enumerate", "filter", "iter", "map", "open", "reversed", "zip", "aiter"])
CHANGING_BUILTINS = frozenset(["next", "setattr", "delattr", "anext"])  # change their first argument
SILENT_BUILTINS = FRESH_BUILTINS - {"print", "display", "input", "breakpoint", "help"} | COPYING_BUILTINS

# ---------------------------------------------------------------- methods

# Change the object itself, whatever it is; a use of an iterator or an open file is such a change.
CHANGING_METHODS = words(
    """
    append extend insert remove pop popitem clear sort reverse add discard update setdefault appendleft
    popleft extendleft rotate difference_update intersection_update symmetric_difference_update move_to_end
    subtract put put_nowait get_nowait task_done setflags itemset resize byteswap partition fill write
    writelines read readline readlines readinto seek truncate flush close send throw __next__ __setitem__
    __delitem__ __setattr__ __iadd__ fit fit_transform fit_predict fit_resample partial_fit set_params
    load_state_dict zero_grad backward step train_on_batch heappush heappop execute executemany
    executescript commit rollback fetchone fetchmany fetchall writerow writerows writeheader add_argument
    add_edge add_edges_from add_node add_nodes_from remove_edge remove_node push enqueue dequeue shuffle
    register subscribe writestr increment decrement connect disconnect
    """
)
# Draw into axes or dress them: what they are called on may change, what they are given does not.
DRAWING_METHODS = words(
    """
    plot scatter bar barh hist hist2d hexbin boxplot violinplot imshow matshow pcolormesh contour contourf
    errorbar fill_between fill_betweenx stackplot stem pie loglog semilogx semilogy axhline axvline axhspan
    axvspan hlines vlines annotate text legend grid tick_params set_title set_xlabel set_ylabel set_zlabel
    set_xlim set_ylim set_xticks set_yticks set_xticklabels set_yticklabels set_xscale set_yscale set_aspect
    set_axis_off set_facecolor set_visible tight_layout suptitle supxlabel supylabel colorbar
    subplots_adjust autofmt_xdate invert_xaxis invert_yaxis bar_label add_patch add_artist add_line margins
    quiver streamplot ecdf update_layout update_traces update_xaxes update_yaxes add_trace add_hline
    add_vline set_figheight set_figwidth set_size_inches
    """
)
FITTING_METHODS = frozenset(["fit", "fit_transform", "fit_predict", "fit_resample", "partial_fit"])

# Methods that only look, for text, numbers, containers, pandas, numpy, fitted models, dates, paths, regexes.
_TEXT = """
    capitalize casefold center count encode decode endswith expandtabs find format format_map index isalnum
    isalpha isascii isdecimal isdigit isidentifier islower isnumeric isprintable isspace istitle isupper
    join ljust lower lstrip maketrans removeprefix removesuffix replace rfind rindex rjust rpartition rsplit
    rstrip split splitlines startswith strip swapcase title translate upper zfill contains match fullmatch
    search findall extract extractall cat slice group groups groupdict
    """
_CONTAINERS = """
    copy items keys values get issubset issuperset isdisjoint union intersection difference
    symmetric_difference most_common elements total __getitem__ __len__ __contains__ _asdict _replace qsize
    empty full bit_length as_integer_ratio is_integer hexdigest digest
    """
_ARRAYS = """
    abs all any argmax argmin argsort astype clip conj cumprod cumsum dot flatten max mean median min
    nonzero prod ptp ravel repeat reshape round searchsorted squeeze std sum swapaxes take tobytes tolist
    transpose trace var view diagonal item numpy cpu detach __array__
    """
_FRAMES = """
    agg aggregate align applymap asfreq asof assign at_time autocorr between between_time bfill bool combine
    combine_first compare convert_dtypes corr corrwith cov crosstab cummax cummin cumcount describe diff div
    divide dot drop drop_duplicates droplevel dropna duplicated eq equals eval ewm expanding explode
    factorize ffill fillna filter first first_valid_index floordiv ge get_group groupby gt head idxmax
    idxmin infer_objects info interpolate isin isna isnull iterrows itertuples join kurt kurtosis last
    last_valid_index le lt mad mask melt memory_usage merge mod mode mul multiply ne ngroup nlargest notna
    notnull nsmallest nunique pct_change pivot pivot_table pow product quantile query rank reindex rename
    rename_axis reorder_levels replace resample reset_index rolling rpow rsub rtruediv sample select_dtypes
    sem set_axis set_index shift skew sort_index sort_values stack sub swaplevel tail to_clipboard to_csv
    to_dict to_excel to_feather to_frame to_hdf to_html to_json to_latex to_list to_markdown to_numpy
    to_parquet to_period to_pickle to_records to_sql to_string to_timestamp to_xarray truediv tshift
    tz_convert tz_localize unique unstack value_counts where xs nth size ohlc total_seconds isocalendar
    normalize strftime floor ceil day_name month_name style background_gradient
    """
_MODELS = "predict predict_proba predict_log_proba decision_function score transform inverse_transform get_params"
_OTHERS = """
    isoformat timestamp date time timetuple utcoffset weekday isoweekday toordinal strptime exists is_file
    is_dir glob rglob iterdir resolve absolute as_posix with_suffix with_name joinpath relative_to read_text
    read_bytes write_text write_bytes mkdir rmdir unlink touch rename stat savefig fileno isatty json nodes
    edges neighbors successors predecessors degree
    """
HARMLESS_METHODS = words(f"{_TEXT} {_CONTAINERS} {_ARRAYS} {_FRAMES} {_MODELS} {_OTHERS}") - CHANGING_METHODS | words(
    "apply map pipe"
)
# Call a function for each element: harmless as far as that function is.
CALLING_METHODS = words("apply map pipe transform agg aggregate applymap sort_values groupby filter")
# Results that are a window on the object, or one of its elements; of the others they are new objects.
VIEWING_METHODS = words(
    """
    get items keys values reshape ravel view transpose swapaxes squeeze diagonal groupby get_group rolling
    resample ewm expanding head tail xs where iterrows itertuples elements most_common __getitem__ numpy cpu
    detach nodes edges neighbors style to_numpy __array__ first last filter pipe apply map transform agg
    aggregate
    """
)
ITERATING_METHODS = frozenset(["iterrows", "itertuples", "glob", "rglob", "iterdir", "finditer"])
# Attributes that are a number, a text, or something nobody changes.
PLAIN_ATTRIBUTES = words(
    """
    shape size ndim dtype dtypes nbytes itemsize stem suffix __name__ __doc__ __class__ __module__
    __version__ year month day hour minute second
    """
)
# A store through one of these is a store into the object itself: df.loc[0] = 1.
WINDOWS = frozenset(["loc", "iloc", "at", "iat", "flat", "T", "real", "imag", "values", "str", "dt", "data"])

# Names under which people keep a generator of random numbers, which each use moves on.
GENERATORS = frozenset(["rng", "prng", "random_state", "random_generator"])

# Touch the disk, the pictures or chance, whatever the object is.
WRITING_METHODS = words(
    """
    to_csv to_excel to_feather to_hdf to_parquet to_pickle to_sql savefig write_text write_bytes mkdir rmdir
    unlink touch tofile write_html write_image writestr imsave commit rollback
    """
)
READING_METHODS = words("read_text read_bytes exists is_file is_dir glob rglob iterdir stat")
PLOTTING_METHODS = frozenset(["plot", "hist", "boxplot"])  # of a frame; with positional arguments, of axes
ACCESSORS = frozenset(["str", "dt", "cat", "plot", "style", "sparse"])  # their methods only look
NAMING_METHODS = frozenset(["query", "eval"])  # their text may name variables: df.query("delay > @limit")

# ---------------------------------------------------------------- modules

# Spellings so common that a cell on its own tells the module; checked against the other cells' writes.
CONVENTIONS = {
    "np": "numpy",
    "numpy": "numpy",
    "pd": "pandas",
    "pandas": "pandas",
    "plt": "matplotlib.pyplot",
    "mpl": "matplotlib",
    "matplotlib": "matplotlib",
    "sns": "seaborn",
    "sp": "scipy",
    "scipy": "scipy",
    "sklearn": "sklearn",
    "px": "plotly.express",
    "torch": "torch",
    "tf": "tensorflow",
    "Path": "pathlib.Path",
    "tqdm": "tqdm.tqdm",
    "duckdb": "duckdb",
    "__builtins__": "builtins",
} | {
    name: name
    for name in words(
        """
        bisect builtins collections contextlib copy csv functools glob heapq importlib io itertools json
        logging math os pathlib pickle pprint random re shutil sqlite3 statistics subprocess sys tempfile
        textwrap time timeit urllib warnings
        """
    )
}

# Modules whose functions leave their arguments alone, but for what is listed below.
HARMLESS_MODULES = words(
    """
    numpy pandas math statistics json itertools functools operator collections re datetime scipy copy
    textwrap string decimal fractions typing dataclasses pprint time calendar glob os pathlib sys platform
    matplotlib seaborn plotly pickle csv io shutil subprocess tempfile timeit urllib hashlib base64 uuid
    warnings logging random secrets sklearn.metrics sklearn.model_selection sklearn.datasets sklearn.utils
    sklearn.preprocessing sklearn.linear_model sklearn.ensemble sklearn.tree sklearn.svm sklearn.neighbors
    sklearn.cluster sklearn.decomposition sklearn.pipeline sklearn.compose sklearn.impute
    sklearn.naive_bayes sklearn.feature_extraction tqdm enum abc types inspect unicodedata html struct zlib
    gzip zipfile sqlite3 requests IPython.display contextlib concurrent.futures multiprocessing threading
    queue asyncio signal networkx.Graph networkx.DiGraph bisect heapq duckdb torch
    """
)
CHANGES_FIRST = words(
    """
    random.shuffle numpy.random.shuffle numpy.put numpy.place numpy.copyto numpy.fill_diagonal numpy.putmask
    numpy.add.at heapq.heappush heapq.heappop heapq.heapify heapq.heapreplace heapq.heappushpop
    bisect.insort bisect.insort_left bisect.insort_right operator.setitem operator.delitem operator.iadd
    operator.iconcat json.load pickle.load csv.reader csv.DictReader numpy.put_along_axis collections.deque_
    itertools.tee functools.update_wrapper
    """
)
CHANGES_SECOND = frozenset(["json.dump", "pickle.dump"])  # write into the open file they are given
VIEWING_FUNCTIONS = words(
    """
    numpy.asarray numpy.reshape numpy.ravel numpy.squeeze numpy.transpose numpy.broadcast_to
    numpy.atleast_1d numpy.atleast_2d numpy.expand_dims numpy.swapaxes numpy.split numpy.moveaxis numpy.diag
    numpy.flip numpy.asanyarray numpy.array_split numpy.nditer numpy.frombuffer numpy.real numpy.imag
    pandas.DataFrame pandas.Series pandas.Index collections.OrderedDict collections.ChainMap
    types.MappingProxyType functools.partial functools.reduce types.SimpleNamespace collections.deque
    collections.defaultdict operator.attrgetter operator.itemgetter typing.cast tqdm.tqdm tqdm.auto.tqdm
    tqdm.notebook.tqdm sklearn.pipeline.Pipeline sklearn.pipeline.make_pipeline sklearn.utils.shuffle
    """
)
CONSUMABLE_MODULES = (
    "itertools",
    "csv.reader",
    "csv.DictReader",
    "os.scandir",
    "os.walk",
    "glob.iglob",
    "re.finditer",
    "sqlite3.connect",  # and a connection, of which two threads may not ask something at the same time
    "collections.defaultdict",  # whose look-ups insert
)
OPAQUE_FUNCTIONS = {
    "importlib.reload": "loads a module anew under everybody's feet",
    "code.interact": "starts a console",
    "IPython.get_ipython": "talks to IPython itself",
}
HARMLESS_DECORATORS = words(
    """
    staticmethod classmethod property functools.lru_cache functools.cache functools.wraps
    functools.total_ordering functools.singledispatch functools.cached_property dataclasses.dataclass
    contextlib.contextmanager abc.abstractmethod typing.overload numba.njit numba.jit numba.vectorize
    torch.no_grad dataclass lru_cache cache wraps contextmanager njit jit task flowbook.task abstractmethod
    cached_property total_ordering
    """
)


def is_harmless_function(path: str) -> bool:
    """Whether the function of this dotted path is known to leave its arguments alone."""
    return any(path.startswith(module + ".") or path == module for module in HARMLESS_MODULES)


def is_everybodys(path: str) -> bool:
    """Whether every cell uses what this dotted path names without saying so."""
    return any(path == one or path.startswith(one + ".") for one in EVERYBODYS)


def is_consumable(path: str) -> bool:
    """Whether the result of the function of this dotted path is used up by looking at it."""
    return any(path == module or path.startswith(module + ".") for module in CONSUMABLE_MODULES)
