"""Replacing a key of many projects."""

from __future__ import annotations

import datetime
from collections.abc import Awaitable, Callable, Sequence

import attrs

from .._api.calls import Scope
from .._arguments import text, whole_number
from .._callbacks import check_callback
from .._http.transport import Transport
from .._reporting import record_calls
from ..models import ApiKey, Happened, Outcome, Progress, Report, RotatedKey
from .keys_in_use import KeysInUse, is_younger
from .many import Job, refuse_doubles
from .own_key import KeyCalls, check_retire, check_span
from .rotation import Rotation, told_of_duplicates
from .server_time import time_of


async def rotate_keys(
    transport: Transport,
    ids: Sequence[str],
    *,
    key: str,
    store: Callable[[RotatedKey], object],
    retire: str,
    older_than: datetime.timedelta | None,
    current: Callable[[str], int | Awaitable[int | None] | None] | None,
    clean_up: datetime.timedelta | None,
    on_progress: Callable[[Progress[str, RotatedKey]], object] | None,
) -> Report[str, RotatedKey]:
    """Do what ``projects.rotate_keys`` promises."""
    scopes = {project_id: Scope.of_project(project_id) for project_id in ids}
    refuse_doubles("project_ids", ids)
    key = text("key", key)
    check_retire(retire)
    check_callback("store", store, is_needed=True)
    check_callback("current", current)
    for name, span in (("older_than", older_than), ("clean_up", clean_up)):
        if span is not None:
            check_span(name, span)
    if clean_up is not None and current is None:
        raise ValueError("clean_up needs current: else a key that is in use might be taken for what a crash left")
    transport.refuse_job("projects.rotate_keys")
    job = Job(ids, at_once=transport.pool.options.max_connections, on_progress=on_progress)
    transport = transport.for_job(job.tell_wait, is_bulk=True)
    is_kept = retire == "keep"

    async def rotate(project_id: str) -> Outcome[str, RotatedKey]:
        keys = KeyCalls(transport, scopes[project_id])
        given = None if current is None else await job.call_back("current", current, project_id)
        in_use = None if given is None else whole_number("what current gives", given)
        with record_calls() as calls:
            known = await keys.all()
        found = KeysInUse.among(known, key, in_use)
        now = time_of(calls[-1], transport.clock)
        deleted: list[ApiKey] = []
        try:
            if clean_up is not None and found.is_told:
                for left in found.left(is_kept=is_kept):
                    if not is_younger(left, clean_up, now):
                        await keys.retire(left, delete=True, witness=found.in_use)
                        deleted.append(left)
            told = found.told(deleted, is_kept=is_kept)
            latest = found.latest(is_kept=is_kept)
            if is_younger(latest, older_than, now):
                made = latest.created_at.isoformat(timespec="seconds")
                why = f"API key {latest.id} was made at {made}, less than {older_than} ago"
                return Outcome(project_id, Happened.NOTHING, None, None, "; ".join([why, *told]))
            rotation = Rotation(keys, found.in_use.id, key, retire, known)
            try:
                async with rotation:
                    rotated = job.made[project_id] = RotatedKey(
                        project_id,
                        rotation.old_key,
                        rotation.new_key,
                        [other.id for other in found.others if other not in deleted],
                        cleaned_up=[gone.id for gone in deleted],
                        may_have_orphaned_key=rotation.may_have_orphaned_key,
                    )
                    await job.call_back("store", store, rotated)
            finally:
                # The look comes before the old key is retired, which may fail.
                if project_id in job.made:
                    rotated = job.made[project_id] = attrs.evolve(
                        job.made[project_id],
                        duplicate_key_ids=rotation.duplicate_key_ids,
                        orphaned_key_ids=rotation.orphaned_key_ids,
                        may_have_orphaned_key=rotation.may_have_orphaned_key,
                    )
            told += [*told_of_duplicates(rotated.duplicate_key_ids), *rotation.told()]
        except Exception as error:
            for line in found.told(deleted, is_kept=is_kept):
                error.add_note(line)
            raise
        return Outcome(project_id, Happened.ROTATED, rotated, None, "; ".join(told) or None, rotated.new_keys)

    return await job.run(rotate)
