"""The models that are served, and how versions come and go. In: places on disk. Out: opened versions. Next: service.py.

A version is opened, checked and warmed up beside the one that serves; then one assignment switches. What is under way on
the old version finishes on it. A version that cannot be opened is refused, and the ones that serve go on.
"""

from __future__ import annotations

import os
import shlex
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from tellapart.errors import ModelFileError, TellapartError
from tellapart.serving.engines import EngineChoice
from tellapart.serving.opened import Version, open_version
from tellapart.serving.refusals import NotAllowed, Refusal, Unknown
from tellapart.serving.versions import NAMES, Found, Place, Sources, find_versions, read_labels


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelVersions:
    """The versions of one model at one moment."""

    versions: Mapping[int, Version]
    labels: Mapping[str, int]
    refused: Mapping[int, tuple[tuple[int, int, int], str]]  # version -> its file's stamp, why it could not be opened

    @property
    def latest(self) -> Version | None:
        """The version with the highest number."""
        return self.versions[max(self.versions)] if self.versions else None


class Repository:
    """Opens and closes versions. Its methods may be called from any thread; `refresh`, `load` and `unload` may take long."""

    def __init__(
        self,
        sources: Sources,
        *,
        keep: int = 2,
        max_pixels: int,
        control: bool = False,
        say: Callable[[str], None] = lambda text: None,
        engine: EngineChoice = EngineChoice(),  # noqa: B008 - it cannot change
        give_back: Callable[[], object] = lambda: None,
    ) -> None:
        """`keep` newest versions of a model are served, and those with a label; `control`: clients may load and unload.

        `say` is told of every version that comes, goes or is refused. `give_back` is called at the look after one came or went,
        when the old one has answered what it was asked: what was freed is to go back to the system then.
        """
        self._sources, self._keep, self._max_pixels, self.control, self._say = sources, keep, max_pixels, control, say
        self._engine, self._give_back, self._freed = engine, give_back, False
        self._changed: Callable[[Repository], None] = lambda repository: None
        self._serving: Mapping[str, ModelVersions] = MappingProxyType({})
        self._unloaded: set[str] = set()
        self._folders: dict[str, Path] = {}  # of every model that was ever found
        self._absent: set[str] = set()  # models whose folder was not there at the last look
        self._nameless: set[Path] = set()  # folders that cannot be names, as it was said once
        self._wrong_labels: dict[str, str] = {}  # what was said of them: not again at every look
        self._one_at_a_time = threading.Lock()

    def watch(self, changed: Callable[[Repository], None]) -> None:
        """Call `changed` now and after each change, from the thread that made it."""
        with self._one_at_a_time:
            self._changed = changed
            changed(self)

    def start(self) -> None:
        """Open everything. Raises: ModelFileError when a model that was named, or every model, cannot be served."""
        self.refresh()
        named = {place.name for place in self._sources.models}
        for name, served in self._serving.items():
            if not served.versions and (name in named or not any(one.versions for one in self._serving.values())):
                reasons = [reason for _, reason in served.refused.values()] or ["it has no version"]
                raise ModelFileError(f"model {name!r} cannot be served: {reasons[-1]}")

    @property
    def serving(self) -> Mapping[str, ModelVersions]:
        """Every model and its versions, as of now; the mapping does not change any more."""
        return self._serving

    def get(self, name: str, *, version: int | None = None, label: str | None = None) -> Version:
        """The version to ask; the latest for `version` None or 0. Raises: Unknown, naming what there is."""
        served = self.model(name)
        if label is not None:
            if label not in served.labels:
                known = ", ".join(sorted(served.labels)) or "it has none"
                raise Unknown(f"model {name!r} has no version label {_shown(label)}. Its labels: {known}.")
            version = served.labels[label]
        if not version:
            if served.latest is None:
                raise Unknown(f"model {name!r} has no version that can be served. Ask for its status to see why.")
            return served.latest
        if version not in served.versions:
            known = ", ".join(map(str, served.versions)) or "none"
            raise Unknown(f"model {name!r} has no version {version}. Versions that serve: {known}.")
        return served.versions[version]

    def model(self, name: str) -> ModelVersions:
        """A model by name. Raises: Unknown, naming those that there are."""
        if name not in self._serving:
            known = ", ".join(list(self._serving)[:20]) or "none"
            raise Unknown(f"there is no model {_shown(name)}. Models: {known}.")
        return self._serving[name]

    @property
    def ready(self) -> bool:
        """Whether there is a model, and each has a version that serves."""
        return bool(self._serving) and all(served.versions for served in self._serving.values())

    def refresh(self) -> None:
        """Look at the disk, open what is new, let go of what is gone."""
        with self._one_at_a_time:
            self._give_freed_back()
            places = self._sources.places()
            self._tell_nameless()
            self._folders.update({name: place.path for name, place in places.items()})
            self._absent -= places.keys()
            for name in self._serving.keys() - places.keys():
                if self._is_gone(name):
                    self._forget(name, f"model {name!r} is gone from the disk: no longer served")
            for name, place in places.items():
                if name not in self._unloaded:
                    self._refresh_model(place)

    def _tell_nameless(self) -> None:
        for folder in self._sources.nameless():
            if folder not in self._nameless:
                self._nameless.add(folder)
                named = shlex.quote(f"NAME={folder}")
                self._say(
                    f"{folder} is not served: {folder.name!r} cannot be a model's name. {NAMES} Rename it, or name it: {named}"
                )

    def load(self, name: str) -> None:
        """Serve a model again, or look for its new versions now.

        Raises: NotAllowed without `control`; Unknown; Refusal when its newest version cannot be opened.
        """
        self._check_control()
        with self._one_at_a_time:
            self._give_freed_back()
            place = self._sources.places().get(name)
            if place is None:
                raise Unknown(f"there is no model {_shown(name)} on disk.")
            self._unloaded.discard(name)
            self._refresh_model(place, again=True)
        served = self._serving[name]
        refused = served.refused
        if refused and max(refused) >= max(served.versions, default=0):
            raise Refusal(refused[max(refused)][1])

    def unload(self, name: str) -> None:
        """Serve a model no longer, until it is loaded. Raises: NotAllowed without `control`; Unknown."""
        self._check_control()
        with self._one_at_a_time:
            self.model(name)
            self._unloaded.add(name)
            self._forget(name, f"model {name!r} was unloaded")

    def index(self) -> list[dict[str, str]]:
        """Every model and version with its state, as Triton's repository index lists them."""
        models = self._serving.items()
        rows = [(name, str(number), "READY", "") for name, served in models for number in served.versions]
        for name, served in models:
            rows += [(name, str(number), "UNAVAILABLE", reason) for number, (_, reason) in served.refused.items()]
        rows += [(name, "", "UNAVAILABLE", "unloaded") for name in sorted(self._unloaded)]
        return [dict(zip(("name", "version", "state", "reason"), row, strict=True)) for row in rows]

    def _give_freed_back(self) -> None:
        if self._freed:
            self._freed = False
            self._give_back()

    def _check_control(self) -> None:
        if not self.control:
            raise NotAllowed(
                "this server was started without --control, so models are loaded as they appear on disk. "
                "Start it with --control to load and unload by request."
            )

    def _refresh_model(self, place: Place, *, again: bool = False) -> None:
        before = self._serving.get(place.name, ModelVersions(versions={}, labels={}, refused={}))
        found = find_versions(place)
        labels, refused = before.labels, {} if again else dict(before.refused)
        try:
            labels = read_labels(place)
            self._wrong_labels.pop(place.name, None)
        except TellapartError as error:
            if self._wrong_labels.get(place.name) != str(error):
                self._wrong_labels[place.name] = str(error)
                self._say(str(error))
        versions: dict[int, Version] = {}
        for number in sorted(found, reverse=True):
            if len(versions) >= self._keep and number not in labels.values():
                continue
            version = self._renew(place, found[number], before.versions.get(number), refused)
            if version is not None:
                versions[number] = version
        if not versions:  # whatever happened to the disk, the last good version keeps serving
            versions = dict(before.versions)
        refused = {number: why for number, why in refused.items() if number in found}
        self._switch(place.name, before, ModelVersions(versions=versions, labels=labels, refused=refused))

    def _is_gone(self, name: str) -> bool:
        """Whether a model's folder was not there at two looks in a row, in a folder of models that can be listed."""
        folder = self._folders[name]
        # What is renamed, mounted or filled anew is away for a moment only.
        if os.path.exists(folder) or not os.access(folder.parent, os.R_OK | os.X_OK):
            self._absent.discard(name)
            return False
        self._absent ^= {name}  # in at the first look, out at the second
        return name not in self._absent

    def _renew(
        self, place: Place, found: Found, old: Version | None, refused: dict[int, tuple[tuple[int, int, int], str]]
    ) -> Version | None:
        """The version as it is on disk, or the old one where the file is the same or no good."""
        if old is not None and old.stamp == found.stamp:
            return old
        if refused.get(found.number, (None, ""))[0] == found.stamp:
            return old  # the same file that was refused before
        self._freed = True
        try:
            version = open_version(place.name, found, max_pixels=self._max_pixels, say=self._say, engine=self._engine)
        except TellapartError as error:
            refused[found.number] = (found.stamp, str(error))
            kept = "; the old one keeps serving" if old is not None else ""
            self._say(f"model {place.name!r} version {found.number} is refused{kept}: {error}")
            return old
        refused.pop(found.number, None)
        self._say(f"model {place.name!r} version {found.number} serves")
        return version

    def _switch(self, name: str, before: ModelVersions, after: ModelVersions) -> None:
        for number in before.versions.keys() - after.versions.keys():
            self._freed = True
            self._say(f"model {name!r} version {number} is no longer served")
        if before != after or name not in self._serving:
            self._serving = MappingProxyType({**self._serving, name: after})
            self._changed(self)

    def _forget(self, name: str, why: str) -> None:
        self._serving = MappingProxyType({key: one for key, one in self._serving.items() if key != name})
        self._freed = True
        self._say(why)
        self._changed(self)


def _shown(text: str) -> str:
    return repr(text if len(text) <= 60 else f"{text[:60]}...")
