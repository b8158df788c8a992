"""λ trigger: starts an execution, for a schedule or for somebody who invokes it by hand."""

from __future__ import annotations

import json
from typing import Any

from pharmaetl.aws import stages
from pharmaetl.aws.account import Account, speaking
from pharmaetl.aws.events import Asked, parsed
from pharmaetl.aws.lambdas.invocation import Context, invocation, setting


def handler(event: object, context: Context) -> dict[str, Any]:
    """Start an execution with what was asked for; of an invocation that Lambda repeats, it is started once."""
    with invocation(context) as call:
        asked = parsed(Asked, event or {})
        stages.url_of(call.dataset, asked)
        given = {"dataset": call.dataset_name, **asked.model_dump(exclude_none=True)}
        name = f"{call.dataset_name.replace('_', '-')}-{context.aws_request_id}"
        arn, started = _start(setting("STATE_MACHINE_ARN"), name, given)
        call.log.info("started" if started else "was started before", extra={"execution_arn": arn, "input": given})
        return {"execution_arn": arn, "name": name, "started": started}


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
