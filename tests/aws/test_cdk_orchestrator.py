"""A dataset's stack: everything that it has for itself, with limits and least privileges."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from deployments import BASE, CDER, NSDE, RXNORM, Assembly, filled, many, statements_everywhere

from pharmaetl.aws import permissions, state_machine
from pharmaetl.aws.cdk.arns import Shared
from pharmaetl.aws.cdk.policies import Grants
from pharmaetl.aws.cdk.settings import Settings
from pharmaetl.aws.naming import DatasetNames
from pharmaetl.catalog import Catalog, shipped

_FUNCTIONS = ("nsde-fetch-and-hash", "nsde-update-manifest", "nsde-trigger", "nsde-freshness")


def _function(assembly: Assembly, name: str, stack: str = NSDE) -> dict[str, Any]:
    (found,) = [
        function
        for function in assembly.of(stack, "AWS::Lambda::Function").values()
        if function["FunctionName"] == name
    ]
    return found


def _definition(assembly: Assembly, stack: str = NSDE) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(assembly.one(stack, "AWS::StepFunctions::StateMachine")["DefinitionString"])
    return found


def test_there_is_one_stack_for_each_dataset_and_one_for_all(assembly: Assembly) -> None:
    assert set(assembly.templates) == {
        "PP-RAWS-DataLake-Base",
        "PP-RAWS-NSDE-Orchestrator",
        "PP-RAWS-CDER-Orchestrator",
        "PP-RAWS-CDER-EXCLUDED-Orchestrator",
        "PP-RAWS-CDER-UNFINISHED-Orchestrator",
        "PP-RAWS-RxNorm-Orchestrator",
    }


def test_stacks_export_nothing_so_that_each_can_go_alone(assembly: Assembly) -> None:
    for template in assembly.templates.values():
        assert "Outputs" not in template
        assert "Fn::ImportValue" not in json.dumps(template)


def test_no_resource_needs_code_of_the_cdk_to_be_made(assembly: Assembly) -> None:
    kinds = {found["Type"] for stack in assembly.templates for found in assembly.resources(stack).values()}
    assert not [kind for kind in kinds if kind.startswith("Custom::") or "CustomResource" in kind]


def test_every_function_has_limits_tracing_and_a_place_for_what_it_could_not_do(assembly: Assembly) -> None:
    assert {found["FunctionName"] for found in assembly.of(NSDE, "AWS::Lambda::Function").values()} == set(_FUNCTIONS)
    for function in assembly.everywhere("AWS::Lambda::Function"):
        assert 0 < function["Timeout"] <= 900
        assert 512 <= function["MemorySize"] <= 3008
        assert function["ReservedConcurrentExecutions"] == 2
        assert function["Runtime"] == "python3.11"
        assert function["TracingConfig"] == {"Mode": "Active"}
        assert filled(function["DeadLetterConfig"]["TargetArn"]).endswith("-dead-letters")
        assert function["LoggingConfig"]["LogFormat"] == "JSON"


def test_the_function_that_fetches_has_room_for_the_largest_source_it_accepts(assembly: Assembly) -> None:
    fetch = _function(assembly, "nsde-fetch-and-hash")
    assert (fetch["Timeout"], fetch["MemorySize"], fetch["EphemeralStorage"]) == (900, 3008, {"Size": 10240})


def test_functions_learn_where_they_are_and_only_of_secrets_that_their_sources_name(assembly: Assembly) -> None:
    variables = filled(_function(assembly, "nsde-fetch-and-hash")["Environment"]["Variables"])
    assert variables == {
        "PHARMAETL_LAKE": "s3://pp-raws-lake-111122223333-us-east-1",
        "PHARMAETL_DATASET": "nsde",
        "POWERTOOLS_SERVICE_NAME": "nsde",
        "POWERTOOLS_METRICS_NAMESPACE": "pharmaetl",
    }
    licensed = filled(_function(assembly, "rxnorm-fetch-and-hash", RXNORM)["Environment"]["Variables"])
    assert licensed["PHARMAETL_SECRET_UMLS_API_KEY"] == "pp-raws/umls-api-key"
    trigger = filled(_function(assembly, "nsde-trigger")["Environment"]["Variables"])
    assert trigger["STATE_MACHINE_ARN"] == "arn:aws:states:us-east-1:111122223333:stateMachine:nsde-orchestrator"


def test_every_log_group_is_encrypted_and_kept_for_a_year(assembly: Assembly) -> None:
    groups = assembly.everywhere("AWS::Logs::LogGroup")
    jobs = assembly.everywhere("AWS::Glue::Job")
    assert len(groups) == 5 * (4 + 1) + 2 * len(jobs)
    assert all(group["RetentionInDays"] == 365 and group["KmsKeyId"] == {"Ref": "LakeKeyArn"} for group in groups)


@pytest.mark.parametrize(
    ("kind", "key"),
    [
        ("AWS::SQS::Queue", "KmsMasterKeyId"),
        ("AWS::SNS::Topic", "KmsMasterKeyId"),
        ("AWS::Lambda::Function", "KmsKeyArn"),
        ("AWS::Logs::LogGroup", "KmsKeyId"),
        ("AWS::SecretsManager::Secret", "KmsKeyId"),
        ("AWS::Scheduler::Schedule", "KmsKeyArn"),
        ("AWS::Glue::Job", "SecurityConfiguration"),
        ("AWS::Glue::Crawler", "CrawlerSecurityConfiguration"),
    ],
)
def test_nothing_is_unencrypted(assembly: Assembly, kind: str, key: str) -> None:
    found = assembly.everywhere(kind)
    assert found
    assert all(properties.get(key) for properties in found)


def test_what_glue_writes_is_encrypted_by_the_lakes_key(assembly: Assembly) -> None:
    key = {"Ref": "LakeKeyArn"}
    configuration = assembly.one(NSDE, "AWS::Glue::SecurityConfiguration")
    assert configuration["EncryptionConfiguration"] == {
        "S3Encryptions": [{"KmsKeyArn": key, "S3EncryptionMode": "SSE-KMS"}],
        "CloudWatchEncryption": {"CloudWatchEncryptionMode": "SSE-KMS", "KmsKeyArn": key},
        "JobBookmarksEncryption": {"JobBookmarksEncryptionMode": "CSE-KMS", "KmsKeyArn": key},
    }
    jobs = assembly.of(NSDE, "AWS::Glue::Job").values()
    assert {job["SecurityConfiguration"] for job in jobs} == {configuration["Name"]}


def test_a_dataset_with_gold_tables_has_a_job_for_them(assembly: Assembly) -> None:
    jobs = {job["Name"]: job for job in assembly.of(CDER, "AWS::Glue::Job").values()}
    assert set(jobs) == {"cder-bronze-etl", "cder-silver-etl", "cder-gold-etl"}
    gold, silver = jobs["cder-gold-etl"], jobs["cder-silver-etl"]
    assert gold["Command"]["ScriptLocation"] != silver["Command"]["ScriptLocation"]
    own = {"Name", "Description", "Role", "Command"}
    assert {key: value for key, value in gold.items() if key not in own} == {
        key: value for key, value in silver.items() if key not in own
    }
    filling = assembly.one(CDER, "AWS::StepFunctions::StateMachine")["DefinitionSubstitutions"]
    assert filling["GoldJobName"] == "cder-gold-etl"


def test_what_a_job_logs_goes_to_groups_that_are_there_before_glue_would_make_them(assembly: Assembly) -> None:
    """Named as Glue names them: by security configuration and role (Logging for AWS Glue jobs, log group naming)."""
    resources = assembly.resources(NSDE)
    groups = {
        name: "".join(part if isinstance(part, str) else part["Ref"] for part in found["LogGroupName"]["Fn::Join"][1])
        for name, found in assembly.of(NSDE, "AWS::Logs::LogGroup").items()
        if "Fn::Join" in found["LogGroupName"]
    }
    for job in (found for found in resources.values() if found["Type"] == "AWS::Glue::Job"):
        role = job["Properties"]["Role"]["Fn::GetAtt"][0]
        own = {groups[name] for name in job["DependsOn"] if name in groups}
        place = f"/aws-glue/jobs/{job['Properties']['SecurityConfiguration']}-role/{role}"
        assert own == {f"{place}/error", f"{place}/output"}


def test_glue_jobs_are_as_the_config_says(assembly: Assembly) -> None:
    jobs = {job["Name"]: job for job in assembly.of(NSDE, "AWS::Glue::Job").values()}
    assert set(jobs) == {"nsde-bronze-etl", "nsde-silver-etl"}
    for job in jobs.values():
        assert (job["GlueVersion"], job["WorkerType"], job["NumberOfWorkers"]) == ("5.1", "G.1X", 10)
        assert (job["Timeout"], job["MaxRetries"], job["ExecutionProperty"]) == (60, 0, {"MaxConcurrentRuns": 1})
        assert filled(job["DefaultArguments"]["--extra-py-files"]).endswith(".zip")
        assert filled(job["Command"]["ScriptLocation"]).endswith(".py")


def test_the_crawler_reads_bronze_and_never_names_a_table_that_is_published(assembly: Assembly) -> None:
    crawler = assembly.one(NSDE, "AWS::Glue::Crawler")
    assert filled(crawler["Targets"]) == {
        "S3Targets": [{"Path": "s3://pp-raws-lake-111122223333-us-east-1/bronze/nsde/"}]
    }
    assert (crawler["TablePrefix"], crawler["DatabaseName"]) == ("crawled_", "nsde_db")


def test_the_definition_is_the_compiled_one_and_all_of_its_placeholders_are_filled(assembly: Assembly) -> None:
    for dataset in Catalog(shipped()):
        stack = f"PP-RAWS-{dataset.config.title_for_stacks}-Orchestrator"
        machine = assembly.one(stack, "AWS::StepFunctions::StateMachine")
        definition = state_machine.definition(dataset.config)
        assert json.loads(machine["DefinitionString"]) == definition
        assert set(machine["DefinitionSubstitutions"]) == set(permissions.placeholders(definition))


def test_a_function_is_made_after_the_queue_of_its_dead_letters(assembly: Assembly) -> None:
    resources = assembly.resources(NSDE).values()
    functions = [found for found in resources if found["Type"] == "AWS::Lambda::Function"]
    assert len(functions) == 4
    for function in functions:
        assert [name for name in function["DependsOn"] if "DeadLetters" in name]


def test_every_task_ends_in_time_and_the_execution_is_logged_and_traced(assembly: Assembly) -> None:
    definition = _definition(assembly)
    tasks = [state for state in definition["States"].values() if state["Type"] == "Task"]
    assert all(state["TimeoutSeconds"] > 0 for state in tasks)
    assert definition["TimeoutSeconds"] > 0
    machine = assembly.one(NSDE, "AWS::StepFunctions::StateMachine")
    assert machine["LoggingConfiguration"]["Level"] == "ALL"
    assert machine["TracingConfiguration"] == {"Enabled": True}


def test_the_state_machine_may_do_what_its_definition_calls_and_nothing_else(assembly: Assembly) -> None:
    own_upkeep = {"Key", "LogDelivery", "Traces"}
    granted = {
        (action, filled(resource).rsplit(":", 1)[-1].rsplit("/", 1)[-1])
        for sid, statement in assembly.statements(NSDE, "Orchestrator").items()
        if sid not in own_upkeep
        for action in statement["Action"]
        for resource in statement["Resource"]
    }
    named = {
        "${FetchAndHashFunctionArn}": "nsde-fetch-and-hash",
        "${UpdateManifestFunctionArn}": "nsde-update-manifest",
        "${BronzeJobName}": "nsde-bronze-etl",
        "${SilverJobName}": "nsde-silver-etl",
        "${CrawlerName}": "nsde-bronze-crawler",
        "${DeadLetterQueueUrl}": "nsde-dead-letters",
        "${AlertsTopicArn}": "pp-raws-alerts",
    }
    needed = permissions.iam_actions(_definition(assembly))
    assert granted == {(permission.action, named[permission.resource]) for permission in needed}


def _reach(assembly: Assembly, title: str, sid: str, stack: str = NSDE) -> set[str]:
    lake = "arn:aws:s3:::pp-raws-lake-111122223333-us-east-1/"
    statements = assembly.statements(stack, title)
    return {filled(item).removeprefix(lake) for item in statements[sid]["Resource"]} if sid in statements else set()


@pytest.mark.parametrize(
    ("title", "writes"),
    [
        ("FetchAndHash", {"raw/nsde/*", "runs/nsde/*", "lineage/nsde/*", ".work/nsde-*", ".work/notices/nsde/*"}),
        (
            "UpdateManifest",
            {
                "bronze/nsde/*", "silver/nsde/*", "quarantine/nsde/*", "manifests/nsde/*", "manifests/nsde.json",
                "runs/nsde/*", "lineage/nsde/*", ".work/nsde-*",
            },
        ),
        ("Bronze", {".work/nsde-*"}),
        ("Silver", {".work/nsde-*"}),
        ("Crawler", set()),
        ("Freshness", set()),
        ("Trigger", set()),
    ],
)  # fmt: skip
def test_a_role_writes_to_its_own_folders_only(assembly: Assembly, title: str, writes: set[str]) -> None:
    assert _reach(assembly, title, "Write") == writes
    assert _reach(assembly, title, "CleanUp") == {place for place in writes if place.startswith(".work/")}


def test_gold_is_written_where_it_is_unpublished_by_its_job_and_elsewhere_by_who_publishes(assembly: Assembly) -> None:
    tables = {table.name for table in Catalog(shipped()).find("cder").config.gold}
    assert tables
    assert _reach(assembly, "Gold", "Write", CDER) == {".work/cder-*"}
    assert _reach(assembly, "Gold", "Read", CDER) == set()
    published = {place for place in _reach(assembly, "UpdateManifest", "Write", CDER) if place.startswith("gold/")}
    assert published == {f"gold/{table}/*" for table in tables}


def test_each_role_may_what_its_list_says_whatever_policies_it_shares(assembly: Assembly) -> None:
    catalog, settings = Catalog(shipped()), Settings()
    titles = {
        "FetchAndHash": "fetch", "UpdateManifest": "publish", "Trigger": "trigger", "Freshness": "freshness",
        "Bronze": "bronze", "Silver": "silver", "Gold": "gold",
    }  # fmt: skip
    for stack, name in ((CDER, "cder"), (RXNORM, "rxnorm")):
        grants = Grants(DatasetNames(catalog.find(name).config), Shared(settings), {"Ref": "LakeKeyArn"})
        for title, method in titles.items():
            listed = getattr(grants, method)(*([[]] if title in {"Bronze", "Silver", "Gold"} else []))
            wanted = {statement.sid: statement.document() for statement in listed}
            found = assembly.statements(stack, title)
            assert {sid: found[sid] for sid in found if sid != "Code"} == {
                sid: wanted[sid] for sid in wanted if sid != "Code"
            }, (stack, title)


def test_only_the_function_that_publishes_can_write_to_the_publish_log(assembly: Assembly) -> None:
    holders = {
        place.split("/")[1].split("Policy")[0]
        for place, statement in statements_everywhere(assembly)
        if place.startswith(NSDE) and "s3:PutObject" in many(statement["Action"])
        and any("manifests/" in json.dumps(item) for item in many(statement["Resource"]))
    }  # fmt: skip
    assert holders == {"FunctionsUpdateManifest"}


def test_a_secret_is_read_by_the_function_that_needs_it_and_no_other(assembly: Assembly) -> None:
    readers = {
        place
        for place, statement in statements_everywhere(assembly)
        if "secretsmanager:GetSecretValue" in many(statement["Action"])
    }
    assert len(readers) == 1
    assert next(iter(readers)).startswith(f"{RXNORM}/FunctionsFetchAndHash")


def test_no_permission_has_a_wildcard_for_an_action(assembly: Assembly) -> None:
    wild = [
        (place, action)
        for place, statement in statements_everywhere(assembly)
        if statement["Effect"] == "Allow"
        for action in many(statement["Action"])
        if "*" in action
    ]
    assert wild == []


_WILD = re.compile(
    r"""arn:aws:s3:::pp-raws-lake-111122223333-us-east-1/(?:
            (?:raw|bronze|silver|quarantine|manifests|contracts|runs|lineage|gold)/[a-z_]+/\*
            | \.work/[a-z_]+-\* | \.work/notices/[a-z_]+/\* )
      | arn:aws:glue:us-east-1:111122223333:table/[a-z_]+_db/\*
      | arn:aws:logs:us-east-1:111122223333:log-group:/aws/lambda/[a-z-]+:\*
      | arn:aws:logs:us-east-1:111122223333:log-group:/aws-glue/\*
      | arn:aws:s3:::LakeLogs\.Arn/lake/\*""",
    re.VERBOSE,
)
_WITHOUT_RESOURCES = {
    "xray:PutTraceSegments", "xray:PutTelemetryRecords", "xray:GetSamplingRules", "xray:GetSamplingTargets",
    "cloudwatch:PutMetricData", "logs:CreateLogDelivery", "logs:GetLogDelivery", "logs:UpdateLogDelivery",
    "logs:DeleteLogDelivery", "logs:ListLogDeliveries", "logs:PutResourcePolicy", "logs:DescribeResourcePolicies",
    "logs:DescribeLogGroups",
}  # fmt: skip


def test_a_resource_has_a_wildcard_only_below_a_prefix_or_where_the_service_knows_no_resource(
    assembly: Assembly,
) -> None:
    for place, statement in statements_everywhere(assembly):
        if statement["Effect"] == "Deny" or "Resource" not in statement or "/Key" in place:
            continue
        for resource in map(filled, many(statement["Resource"])):
            if resource == "*":
                assert set(many(statement["Action"])) <= _WITHOUT_RESOURCES, place
            elif "*" in resource:
                assert _WILD.fullmatch(resource), (place, resource)


def test_a_dataset_reaches_no_folder_of_another(assembly: Assembly) -> None:
    others = re.compile(
        r"(raw|bronze|silver|quarantine|manifests|contracts|runs|lineage|notices|\.work)/(cder|rxnorm|\*)|gold/"
    )
    assert not others.search(json.dumps(assembly.templates[NSDE]))


def test_nobody_outside_the_account_is_allowed_anything(assembly: Assembly) -> None:
    for place, statement in statements_everywhere(assembly):
        if statement["Effect"] == "Allow" and "Principal" in statement:
            principal = filled(statement["Principal"])
            assert principal.get("AWS", "arn:aws:iam::111122223333:root") == "arn:aws:iam::111122223333:root", place
    assert not assembly.everywhere("AWS::Lambda::Permission")
    assert not assembly.everywhere("AWS::Lambda::Url")


def test_a_dataset_is_run_by_its_cadence_and_not_at_the_same_time_as_another(assembly: Assembly) -> None:
    runs = {
        schedule["Name"]: schedule["ScheduleExpression"]
        for schedule in assembly.everywhere("AWS::Scheduler::Schedule")
        if schedule["Name"].endswith("-cadence")
    }
    assert re.fullmatch(r"cron\(\d+ \d+ \* \* \? \*\)", runs["nsde-cadence"])
    assert re.fullmatch(r"cron\(\d+ \d+ \d+ \* \? \*\)", runs["rxnorm-cadence"])
    times = [tuple(expression[5:].split()[:2]) for expression in runs.values()]
    assert len(times) == len(set(times)) == 5


def test_a_schedule_that_can_not_deliver_leaves_a_dead_letter(assembly: Assembly) -> None:
    for schedule in assembly.everywhere("AWS::Scheduler::Schedule"):
        assert schedule["Target"]["DeadLetterConfig"]["Arn"]["Fn::GetAtt"][1] == "Arn"


def test_a_schedule_says_for_which_time_it_rings_so_that_a_run_is_started_once(assembly: Assembly) -> None:
    inputs = {
        found["Name"]: found["Target"]["Input"] for found in assembly.of(NSDE, "AWS::Scheduler::Schedule").values()
    }
    assert {name: json.loads(given) for name, given in inputs.items()} == {
        "nsde-cadence": {"scheduled_time": "<aws.scheduler.scheduled-time>"},
        "nsde-freshness": {},
    }


def test_an_execution_that_does_not_succeed_is_announced(assembly: Assembly) -> None:
    rule = assembly.one(NSDE, "AWS::Events::Rule")
    assert rule["EventPattern"]["detail"]["status"] == ["FAILED", "TIMED_OUT", "ABORTED"]
    (target,) = rule["Targets"]
    assert filled(target["Arn"]) == "arn:aws:sns:us-east-1:111122223333:pp-raws-alerts"
    assert "DeadLetterConfig" in target


def test_the_queue_of_dead_letters_keeps_them_for_two_weeks_and_refuses_plain_http(assembly: Assembly) -> None:
    assert assembly.one(NSDE, "AWS::SQS::Queue")["MessageRetentionPeriod"] == 14 * 24 * 3600
    statements = assembly.one(NSDE, "AWS::SQS::QueuePolicy")["PolicyDocument"]["Statement"]
    (allowed,) = [filled(statement) for statement in statements if statement["Effect"] == "Allow"]
    rule = "arn:aws:events:us-east-1:111122223333:rule/nsde-failures"
    assert allowed["Condition"] == {"ArnEquals": {"aws:SourceArn": rule}}
    assert assembly.one(NSDE, "AWS::Events::Rule")["Name"] == "nsde-failures"
    refused = next(statement for statement in statements if statement["Effect"] == "Deny")
    assert refused["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}


def test_alarms_say_failed_timed_out_dead_letters_and_no_fresh_version(assembly: Assembly) -> None:
    alarms = {alarm["AlarmName"]: alarm for alarm in assembly.of(NSDE, "AWS::CloudWatch::Alarm").values()}
    assert {name: (alarm["Namespace"], alarm["MetricName"]) for name, alarm in alarms.items()} == {
        "nsde-failed": ("AWS/States", "ExecutionsFailed"),
        "nsde-timed-out": ("AWS/States", "ExecutionsTimedOut"),
        "nsde-dead-letters": ("AWS/SQS", "ApproximateNumberOfMessagesVisible"),
        "nsde-stale": ("pharmaetl", "Stale"),
    }
    for alarm in alarms.values():
        assert filled(alarm["AlarmActions"]) == ["arn:aws:sns:us-east-1:111122223333:pp-raws-alerts"]
        assert (alarm["Threshold"], alarm["ComparisonOperator"]) == (1, "GreaterThanOrEqualToThreshold")


def test_silence_about_freshness_is_an_alarm_too(assembly: Assembly) -> None:
    alarms = assembly.of(NSDE, "AWS::CloudWatch::Alarm").values()
    (stale,) = [alarm for alarm in alarms if alarm["AlarmName"] == "nsde-stale"]
    schedules = assembly.of(NSDE, "AWS::Scheduler::Schedule").values()
    (freshness,) = [schedule for schedule in schedules if schedule["Name"] == "nsde-freshness"]
    assert stale["TreatMissingData"] == "breaching"
    assert re.fullmatch(r"cron\(\d+ 0/6 \* \* \? \*\)", freshness["ScheduleExpression"])
    assert stale["Period"] == 2 * 6 * 3600


def test_a_letter_that_nobody_reads_keeps_its_alarm_when_the_queue_falls_silent(assembly: Assembly) -> None:
    alarms = {alarm["AlarmName"]: alarm for alarm in assembly.of(NSDE, "AWS::CloudWatch::Alarm").values()}
    assert alarms["nsde-dead-letters"]["TreatMissingData"] == "ignore"
    assert alarms["nsde-failed"]["TreatMissingData"] == "notBreaching"


def test_the_dashboard_shows_executions_and_age(assembly: Assembly) -> None:
    body = json.loads(filled(assembly.one(NSDE, "AWS::CloudWatch::Dashboard")["DashboardBody"]))
    shown = {metric[1] for widget in body["widgets"] for metric in widget["properties"]["metrics"]}
    assert {"ExecutionsSucceeded", "ExecutionsFailed", "AgeHours", "Duration"} <= shown


def test_everything_bears_the_tags_by_which_costs_are_told_apart(assembly: Assembly) -> None:
    for function in assembly.of(NSDE, "AWS::Lambda::Function").values():
        tags = {tag["Key"]: tag["Value"] for tag in function["Tags"]}
        assert tags == {"project": "pharmaetl", "dataset": "nsde", "organization": "fda"}
    for job in assembly.of(NSDE, "AWS::Glue::Job").values():
        assert job["Tags"] == {"project": "pharmaetl", "dataset": "nsde", "organization": "fda"}


def test_a_stack_says_with_which_code_it_was_deployed(assembly: Assembly) -> None:
    manifest = json.loads((assembly.folder / "manifest.json").read_text())
    tags = manifest["artifacts"][NSDE]["properties"]["tags"]
    assert tags["pharmaetl:code-sha256"] == Catalog(shipped()).find("nsde").code_sha256


def test_a_dataset_is_deployed_after_the_base_and_after_nothing_else(assembly: Assembly) -> None:
    artifacts = json.loads((assembly.folder / "manifest.json").read_text())["artifacts"]
    stacks = {name for name in artifacts if artifacts[name]["type"] == "aws:cloudformation:stack"}
    assert set(artifacts[NSDE]["dependencies"]) & stacks == {BASE}


def test_a_template_without_white_space_fits_into_a_request_to_cloudformation(assembly: Assembly) -> None:
    sizes = {name: len(json.dumps(found, separators=(",", ":"))) for name, found in assembly.templates.items()}
    assert max(sizes.values()) <= 51_200, sizes
