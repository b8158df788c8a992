"""λ trigger: starts an execution, for a schedule or for somebody who invokes it by hand."""

from __future__ import annotations

import json
import re
from typing import Any

from pharmaetl.aws import stages
from pharmaetl.aws.account import Account, speaking
from pharmaetl.aws.events import Woken, parsed
from pharmaetl.aws.lambdas.invocation import Context, invocation, setting


def handler(event: object, context: Context) -> dict[str, Any]:
    """Start an execution with what was asked for.

    Lambda may repeat an invocation, and a schedule may ring twice for one time: either is started once.
    """
    with invocation(context) as call:
        woken = parsed(Woken, event or {})
        stages.url_of(call.dataset, woken)
        given = {"dataset": call.dataset_name, **woken.model_dump(exclude_none=True, exclude={"scheduled_time"})}
        name = f"{call.dataset_name.replace('_', '-')}-{_moment(woken) or context.aws_request_id}"
        arn, started = _start(setting("STATE_MACHINE_ARN"), name, given)
        call.log.info("started" if started else "was started before", extra={"execution_arn": arn, "input": given})
        return {"execution_arn": arn, "name": name, "started": started}


def _moment(woken: Woken) -> str | None:
    """The time for which a schedule rang, as a name may hold it; None where no schedule did, or it doesn't say."""
    found = re.fullmatch(r"(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)Z", woken.scheduled_time or "")
    return "scheduled-{}{}{}T{}{}{}Z".format(*found.groups()) if found else None


def _start(machine: str, name: str, given: dict[str, Any]) -> tuple[str, bool]:
    """The execution's ARN, and whether it was started now: a name is taken for 90 days (Step Functions API)."""
    from botocore.exceptions import ClientError

    client = Account().client("stepfunctions")
    with speaking("states:StartExecution", absent="pharmaetl aws deploy"):
        try:
            answer = client.start_execution(stateMachineArn=machine, name=name, input=json.dumps(given, sort_keys=True))
        except ClientError as error:
            if error.response.get("Error", {}).get("Code") != "ExecutionAlreadyExists":
                raise
            return f"{machine.replace(':stateMachine:', ':execution:')}:{name}", False
    return str(answer["executionArn"]), True
