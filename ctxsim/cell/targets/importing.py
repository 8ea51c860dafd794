"""Import strings: `module:attribute`, `path/to/file.py:attribute`, and `()` for a factory."""

from __future__ import annotations

import difflib
import importlib
import importlib.util
import sys
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

from ctxsim.cell.plan import Plan, Target
from ctxsim.cell.witness.record import count_as_application
from ctxsim.errors import TargetError

_OWN_FILES = str(Path(__file__).resolve().parents[2])


def load(target: Target) -> object:
    """The object that `target.app` names; a factory is called.

    Raises TargetError, whose arguments are a message and a hint, and whose cause is what the
    application raised, if it did.
    """
    place, _, attribute = target.app.rpartition(":")
    if not place or not attribute:
        raise TargetError(
            f"{target.app!r} does not say what to import",
            "write module:attribute, path/to/file.py:attribute, or module:factory()",
        )
    factory = attribute.endswith("()")
    module = module_at(place, target)
    count_as_application(sys.modules.get(place.partition(".")[0], module))
    found = _attribute(module, attribute.removesuffix("()"), place)
    if not factory:
        return found
    if not callable(found):
        raise TargetError(
            f"{target.app}: {type(found).__name__} cannot be called", "leave out '()'"
        )
    try:
        return found()
    except BaseException as error:
        raise failed(f"calling {target.app} failed", error) from error


def resolve(name: str) -> object:
    """The object that `module:attribute` names in this process; None where it is not there yet."""
    module_name, _, path = name.partition(":")
    found: Any = sys.modules.get(module_name)
    for part in path.split("."):
        found = getattr(found, part, None)
    return found


def probe(name: str) -> Callable[[], object]:
    """The function that a probe's name leads to; raises TargetError."""
    place, _, path = name.partition(":")
    try:
        module = sys.modules.get(place) or importlib.import_module(place)
    except ModuleNotFoundError as error:
        raise _no_such_module(place, f"probe {name}") from error
    except BaseException as error:
        raise failed(f"importing {place} failed", error) from error
    found = _attribute(module, path, place)
    if not callable(found):
        raise TargetError(
            f"probe {name} is a {type(found).__name__}, and no function",
            "name a function that takes nothing and returns what must be the request's own",
        )
    return found


def check_names(plan: Plan) -> None:
    """Raise TargetError where `shared` or `keeps` name a module that is nowhere to be found.

    What is missing in a module that is there may be made later.
    """
    for key, names in (("shared", plan.shared.objects), ("keeps", plan.keeps)):
        for name in names:
            place = name.partition(":")[0]
            if place not in sys.modules and not _may_be_imported(place):
                raise _no_such_module(place, f"{key}: {name}")


def leading_nowhere(names: Sequence[str]) -> list[str]:
    """Those of `names` (modules, or `module:attribute`) that lead to nothing now."""
    return [name for name in names if not _leads_somewhere(name)]


def _leads_somewhere(name: str) -> bool:
    place, _, path = name.partition(":")
    found: Any = sys.modules.get(place)
    if found is None:
        return False
    for part in path.split(".") if path else ():
        try:
            found = getattr(found, part)
        except AttributeError:
            return False
        # A lazy object that fails outside of a request is there.
        except Exception:  # noqa: BLE001 # ok: see above
            return True
    return True


def _may_be_imported(place: str) -> bool:
    # Its first part alone: to look for more is to import it.
    top = place.partition(".")[0]
    try:
        return top in sys.modules or importlib.util.find_spec(top) is not None
    except ValueError:
        # A module without a spec, such as `__main__`.
        return True


def _no_such_module(place: str, what: str) -> TargetError:
    near = difflib.get_close_matches(place, sorted(sys.modules), 1)
    there = f"did you mean {near[0]!r}?" if near else "write module:attribute as it is imported"
    return TargetError(f"no module named {place!r} ({what})", there)


def module_at(place: str, target: Target) -> ModuleType:
    """Import a module by its name, or by the path of its file; raises TargetError."""
    try:
        return _module_of_file(place, target) if place.endswith(".py") else _module_named(place)
    except TargetError:
        raise
    except ModuleNotFoundError as error:
        name = error.name or ""
        if place == name or place.startswith(f"{name}."):
            raise TargetError(*_not_found(name, target)) from error
        raise failed(f"importing {place} failed", error) from error
    except ImportError as error:
        refused = failed(f"importing {place} failed", error)
        if place.endswith(".py") and "relative import" in str(error):
            # A file by its path is in no package, whatever its folder is.
            hint = f"it is part of a package: name it as a module, such as {_as_module(place)}"
            raise TargetError(refused.args[0], hint) from error
        raise refused from error
    except BaseException as error:
        raise failed(f"importing {place} failed", error) from error


def _as_module(place: str) -> str:
    """How a file of a package is imported by name, from the folder that the package is in."""
    file = Path(place)
    names = [file.stem, file.parent.name]
    above = file.parent
    while (above / "__init__.py").exists() and (above.parent / "__init__.py").exists():
        above = above.parent
        names.append(above.name)
    return ".".join(reversed(names))


def failed(what: str, error: BaseException) -> TargetError:
    """What to raise where code of the application's raised `error`; it says where."""
    frames = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if not frame.filename.startswith((_OWN_FILES, "<frozen"))
    ]
    place = f" ({frames[-1].filename}:{frames[-1].lineno})" if frames else ""
    if isinstance(error, SyntaxError) and error.filename:
        # What could not be parsed has no frame; the one that is there imported it.
        place = f" ({error.filename}:{error.lineno})"
    said = traceback.format_exception_only(error)[-1].strip()
    hint = "the application raised this itself"
    if isinstance(error, ModuleNotFoundError):
        hint += f"\nit was imported by {sys.executable}; target.python names another"
    return TargetError(f"{what}: {said}{place}", hint)


def _module_named(place: str) -> ModuleType:
    return importlib.import_module(place)


def _module_of_file(place: str, target: Target) -> ModuleType:
    folders = [Path(folder) for folder in target.path]
    file = next((f / place for f in folders if (f / place).is_file()), Path(place))
    if not file.is_file():
        looked = ", ".join(map(str, folders)) or "the current directory"
        raise TargetError(f"no file {place} (from target {target.app})", f"looked in: {looked}")
    there = sys.modules.get(file.stem)
    # Its code ran when an application was searched for in it, and must not run again.
    if there is not None and vars(there).get("__file__") == str(file):
        return there
    spec = importlib.util.spec_from_file_location(file.stem, file)
    if spec is None or spec.loader is None:
        raise TargetError(f"{place} cannot be imported", "name a file that ends in .py")
    module = importlib.util.module_from_spec(spec)
    # As an import by name would: pickles, dataclasses and `shared` look the module up.
    sys.modules[file.stem] = module
    sys.path.insert(0, str(file.parent.resolve()))
    spec.loader.exec_module(module)
    return module


def _attribute(module: ModuleType, path: str, place: str) -> object:
    found: Any = module
    if "(" in path:
        name = path.partition("(")[0]
        raise TargetError(
            f"{place}:{path} is no factory that is called without arguments",
            f"write a function without parameters that returns {path}, or {place}:{name}()",
        )
    for part in path.split("."):
        try:
            found = getattr(found, part)
        except AttributeError:
            names = [name for name in dir(found) if not name.startswith("_")]
            near = difflib.get_close_matches(part, names, 1)
            there = f"did you mean {near[0]!r}?  it has: " if near else "it has: "
            raise TargetError(
                f"module {place!r} has no attribute {path!r}", there + ", ".join(sorted(names)[:20])
            ) from None
    return found


def _not_found(name: str, target: Target) -> tuple[str, str]:
    looked = ", ".join(target.path) or "the import path"
    known = {
        each.stem for folder in target.path for each in Path(folder).glob("*") if _module_like(each)
    }
    near = difflib.get_close_matches(name.partition(".")[0], sorted(known), 1)
    hint = f"looked in: {looked}, and the import path of {sys.executable}"
    place, dot, attribute = target.app.rpartition(".")
    if dot and name == target.app and place in sys.modules:
        hint += f"\ndid you mean '{place}:{attribute}'?"
    elif near:
        hint += f"\ndid you mean {near[0]!r}?"
    return (
        f"no module named {name!r} (from target {target.app})",
        f"{hint}\nadd a folder with target.path",
    )


def _module_like(path: Path) -> bool:
    return path.suffix == ".py" or (path.is_dir() and (path / "__init__.py").exists())
