"""Is the AWS side set up? Who we are there, whether the bucket is fit, and whether what is deployed is current."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

from pharmaetl import doctor as machine
from pharmaetl.aws import deployment, state_machine
from pharmaetl.aws.account import Account, speaking
from pharmaetl.aws.naming import BaseNames, DatasetNames
from pharmaetl.catalog import Catalog, Dataset
from pharmaetl.doctor import Diagnosis
from pharmaetl.errors import PharmaetlError
from pharmaetl.place import Place

_PLACEHOLDER = re.compile(r"\$\{(\w+)\}")
_GLUE_QUOTAS = ("Max concurrent job runs per account", "Max task DPUs per account")


def doctor(account: Account, place: Place) -> tuple[Diagnosis, ...]:
    """Look at identity, region, bucket, conditional writes, stacks, quotas and state machines; each with its fix."""
    identity = _identity(account)
    if identity.outcome == "fail":
        return (identity,)
    lake = Place(place.lake if place.lake.startswith("s3://") else account.lake, place.datasets)
    return (
        identity,
        Diagnosis("region", "ok", account.region),
        machine.lake(lake),
        *_stacks(account, place.catalog),
        *_quotas(account, place.catalog),
        *_definitions(account, place.catalog),
    )


def _identity(account: Account) -> Diagnosis:
    try:
        return Diagnosis("identity", "ok", f"{account.identity['arn']} in {account.region}")
    except PharmaetlError as error:
        return Diagnosis("identity", "fail", error.reason, error.hint)


def _stacks(account: Account, catalog: Catalog) -> Iterator[Diagnosis]:
    base = BaseNames(account.prefix).stack
    yield _stack(account, base, None)
    for dataset in catalog:
        yield _stack(account, DatasetNames(dataset.config, account.prefix).stack, dataset)


def _stack(account: Account, name: str, dataset: Dataset | None) -> Diagnosis:
    """A stack that is there, whole, and of the code that is installed here."""
    try:
        found = deployment.stack_of(account, name)
    except PharmaetlError as error:
        return Diagnosis(f"stack {name}", "warn", error.reason, error.hint)
    words = f"pharmaetl aws deploy {dataset.name if dataset else ''}".strip()
    if found is None:
        return Diagnosis(f"stack {name}", "fail" if dataset is None else "warn", "not deployed", words)
    status = str(found["StackStatus"])
    if "FAILED" in status or "ROLLBACK" in status:
        return Diagnosis(f"stack {name}", "fail", status, f"see its events in CloudFormation, then {words}")
    if dataset is not None and (code := deployment.code_of(found)) != dataset.code_sha256:
        said = f"{status}, deployed from code {(code or 'unknown')[:12]}, here is {dataset.code_sha256[:12]}"
        return Diagnosis(f"stack {name}", "warn", said, words)
    return Diagnosis(f"stack {name}", "ok", status)


def _quotas(account: Account, catalog: Catalog) -> Iterator[Diagnosis]:
    """Do the account's Glue limits hold the largest job?"""
    try:
        client = account.client("service-quotas")
        with speaking("servicequotas:ListServiceQuotas"):
            pages = client.get_paginator("list_service_quotas").paginate(ServiceCode="glue")
            found = {str(one["QuotaName"]): float(one["Value"]) for page in pages for one in page["Quotas"]}
    except PharmaetlError as error:
        yield Diagnosis("quotas", "warn", f"can't be read: {error.reason}", error.hint)
        return
    needed = max((dataset.config.number_of_workers for dataset in catalog), default=0)
    for name in _GLUE_QUOTAS:
        value = next((value for quota, value in found.items() if quota.lower() == name.lower()), None)
        if value is None:
            continue
        short = "DPU" in name and value < needed
        fix = "ask for more in Service Quotas, or lower number_of_workers" if short else ""
        yield Diagnosis(f"quota {name}", "warn" if short else "ok", f"{value:g}, largest job {needed} workers", fix)


def _definitions(account: Account, catalog: Catalog) -> Iterator[Diagnosis]:
    """What Step Functions' own validation says of the definitions."""
    client = account.client("stepfunctions")
    for dataset in catalog:
        name = f"state machine {DatasetNames(dataset.config, account.prefix).state_machine}"
        compiled = state_machine.in_partition(state_machine.definition(dataset.config), account.partition)
        definition = _filled(json.dumps(compiled), account)
        try:
            with speaking("states:ValidateStateMachineDefinition"):
                found = client.validate_state_machine_definition(definition=definition, severity="WARNING")
        except PharmaetlError as error:
            yield Diagnosis(name, "warn", f"can't be validated: {error.reason}", error.hint)
            continue
        said = "; ".join(f"{one.get('location', '')}: {one['message']}" for one in found.get("diagnostics", []))
        if found["result"] == "OK" and not said:
            yield Diagnosis(name, "ok", "valid")
        else:
            failed = found["result"] != "OK"
            yield Diagnosis(name, "fail" if failed else "warn", said, "report this: the definition is generated")


def _filled(definition: str, account: Account) -> str:
    """A definition with something plausible in the place of what a deployment fills in."""

    def filling(found: re.Match[str]) -> str:
        name = found[1]
        if name.endswith("Url"):
            return f"https://sqs.{account.region}.amazonaws.com/{account.number}/queue"
        if name.endswith("FunctionArn"):
            return f"arn:{account.partition}:lambda:{account.region}:{account.number}:function:function"
        if name.endswith("Arn"):
            return f"arn:{account.partition}:sns:{account.region}:{account.number}:topic"
        return "name"

    return _PLACEHOLDER.sub(filling, definition)
