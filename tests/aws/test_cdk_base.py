"""The base stack: a bucket that keeps what was published, and a key for everything."""

from __future__ import annotations

from deployments import BASE, Assembly, filled


def _lake(assembly: Assembly) -> dict:
    (found,) = [
        bucket
        for bucket in assembly.of(BASE, "AWS::S3::Bucket").values()
        if filled(bucket["BucketName"]) == "pp-raws-lake-111122223333-us-east-1"
    ]
    return found


def _policy(assembly: Assembly, bucket: str) -> dict[str, dict]:
    (found,) = [
        policy for policy in assembly.of(BASE, "AWS::S3::BucketPolicy").values() if policy["Bucket"] == {"Ref": bucket}
    ]
    return {statement["Sid"]: filled(statement) for statement in found["PolicyDocument"]["Statement"]}


def test_the_lake_is_versioned_and_encrypted_by_its_own_key_with_bucket_keys(assembly: Assembly) -> None:
    lake = _lake(assembly)
    assert lake["VersioningConfiguration"] == {"Status": "Enabled"}
    assert lake["BucketEncryption"]["ServerSideEncryptionConfiguration"] == [
        {
            "BucketKeyEnabled": True,
            "ServerSideEncryptionByDefault": {
                "KMSMasterKeyID": {"Fn::GetAtt": ["Key", "Arn"]},
                "SSEAlgorithm": "aws:kms",
            },
        }
    ]
    assert lake["LoggingConfiguration"] == {"DestinationBucketName": {"Ref": "LakeLogs"}, "LogFilePrefix": "lake/"}


def test_nothing_in_a_bucket_can_be_made_public(assembly: Assembly) -> None:
    for bucket in assembly.everywhere("AWS::S3::Bucket"):
        assert bucket["PublicAccessBlockConfiguration"] == {
            "BlockPublicAcls": True,
            "BlockPublicPolicy": True,
            "IgnorePublicAcls": True,
            "RestrictPublicBuckets": True,
        }
        assert bucket["OwnershipControls"] == {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]}


def test_both_buckets_refuse_plain_http(assembly: Assembly) -> None:
    for bucket in ("Lake", "LakeLogs"):
        statement = _policy(assembly, bucket)["TlsOnly"]
        assert statement["Effect"] == "Deny"
        assert statement["Principal"] == {"AWS": "*"}
        assert statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
        assert statement["Resource"] == [f"arn:aws:s3:::{bucket}.Arn", f"arn:aws:s3:::{bucket}.Arn/*"]


def test_an_entry_of_the_publish_log_can_only_be_created(assembly: Assembly) -> None:
    entries = ["arn:aws:s3:::Lake.Arn/manifests/*/*.json", "arn:aws:s3:::Lake.Arn/contracts/*/*.json"]
    policy = _policy(assembly, "Lake")
    assert policy["PublishLogIsCreatedOnly"] == {
        "Sid": "PublishLogIsCreatedOnly",
        "Effect": "Deny",
        "Principal": {"AWS": "*"},
        "Action": ["s3:PutObject"],
        "Resource": entries,
        "Condition": {"Null": {"s3:if-none-match": "true"}, "Bool": {"s3:ObjectCreationOperation": "true"}},
    }
    assert policy["PublishLogIsKept"] == {
        "Sid": "PublishLogIsKept",
        "Effect": "Deny",
        "Principal": {"AWS": "*"},
        "Action": ["s3:DeleteObject", "s3:DeleteObjectVersion"],
        "Resource": entries,
    }


def test_raw_and_bronze_grow_colder_and_what_runs_leave_behind_goes_away(assembly: Assembly) -> None:
    rules = {rule["Id"]: rule for rule in _lake(assembly)["LifecycleConfiguration"]["Rules"]}
    tiers = [
        {"StorageClass": "STANDARD_IA", "TransitionInDays": 30},
        {"StorageClass": "GLACIER_IR", "TransitionInDays": 180},
    ]
    assert (rules["colder-raw"]["Prefix"], rules["colder-raw"]["Transitions"]) == ("raw/", tiers)
    assert (rules["colder-bronze"]["Prefix"], rules["colder-bronze"]["Transitions"]) == ("bronze/", tiers)
    assert (rules["runs-under-way"]["Prefix"], rules["runs-under-way"]["ExpirationInDays"]) == (".work/", 7)
    assert rules["leftovers"]["AbortIncompleteMultipartUpload"] == {"DaysAfterInitiation": 2}
    assert "Prefix" not in rules["leftovers"]


def test_nothing_published_ever_expires(assembly: Assembly) -> None:
    rules = _lake(assembly)["LifecycleConfiguration"]["Rules"]
    expiring = {rule.get("Prefix", "everything") for rule in rules if "ExpirationInDays" in rule}
    assert expiring == {".work/"}


def test_data_that_was_removed_can_be_brought_back_for_90_days_and_the_log_for_ever(assembly: Assembly) -> None:
    rules = _lake(assembly)["LifecycleConfiguration"]["Rules"]
    kept = {
        rule.get("Prefix", "everything"): rule["NoncurrentVersionExpiration"]["NoncurrentDays"]
        for rule in rules
        if "NoncurrentVersionExpiration" in rule
    }
    data = ("raw/", "bronze/", "silver/", "quarantine/", "gold/")
    assert kept == {".work/": 1, **dict.fromkeys(data, 90)}


def test_the_key_rotates_and_its_policy_spells_out_every_action(assembly: Assembly) -> None:
    key = assembly.one(BASE, "AWS::KMS::Key")
    assert key["EnableKeyRotation"] is True
    actions = [action for statement in key["KeyPolicy"]["Statement"] for action in statement["Action"]]
    assert not [action for action in actions if "*" in action]
    principals = [filled(statement["Principal"]) for statement in key["KeyPolicy"]["Statement"]]
    assert principals == [
        {"AWS": "arn:aws:iam::111122223333:root"},
        {"Service": "logs.us-east-1.amazonaws.com"},
        {"Service": "cloudwatch.amazonaws.com"},
        {"Service": "events.amazonaws.com"},
    ]


def test_data_key_and_secret_outlive_their_stack(assembly: Assembly) -> None:
    kept = {
        name
        for name, resource in assembly.resources(BASE).items()
        if (resource.get("DeletionPolicy"), resource.get("UpdateReplacePolicy")) == ("Retain", "Retain")
    }
    assert kept == {"Lake", "LakeLogs", "Key", "UmlsApiKey"}


def test_the_secret_of_the_licence_key_holds_no_value_in_the_template(assembly: Assembly) -> None:
    secret = assembly.one(BASE, "AWS::SecretsManager::Secret")
    assert secret["Name"] == "pp-raws/umls-api-key"
    assert "SecretString" not in secret
    assert secret["KmsKeyId"] == {"Fn::GetAtt": ["Key", "Arn"]}


def test_alarms_and_rules_of_this_account_may_announce_and_nobody_over_plain_http(assembly: Assembly) -> None:
    policy = assembly.one(BASE, "AWS::SNS::TopicPolicy")["PolicyDocument"]["Statement"]
    alarms, rules, refused = (filled(statement) for statement in policy)
    assert (alarms["Principal"], rules["Principal"]) == (
        {"Service": "cloudwatch.amazonaws.com"},
        {"Service": "events.amazonaws.com"},
    )
    assert alarms["Condition"] == {"StringEquals": {"aws:SourceAccount": "111122223333"}}
    assert (refused["Effect"], refused["Condition"]) == ("Deny", {"Bool": {"aws:SecureTransport": "false"}})


def test_what_a_rule_announces_meets_no_condition_since_eventbridge_fills_none_in(
    assembly: Assembly,
) -> None:
    topic = assembly.one(BASE, "AWS::SNS::TopicPolicy")["PolicyDocument"]["Statement"]
    key = assembly.one(BASE, "AWS::KMS::Key")["KeyPolicy"]["Statement"]
    for statement in (*topic, *key):
        if filled(statement["Principal"]) == {"Service": "events.amazonaws.com"}:
            assert "Condition" not in statement
    assert {statement["Sid"] for statement in (*topic, *key)} >= {"Rules"}


def test_the_other_stacks_find_bucket_and_key_by_parameters(assembly: Assembly) -> None:
    kept = {one["Name"]: one["Value"] for one in assembly.of(BASE, "AWS::SSM::Parameter").values()}
    assert kept == {
        "/pp-raws/lake-key-arn": {"Fn::GetAtt": ["Key", "Arn"]},
        "/pp-raws/lake-arn": {"Fn::GetAtt": ["Lake", "Arn"]},
    }
    for template in (template for stack, template in assembly.templates.items() if stack != BASE):
        assert {parameter["Default"] for parameter in template["Parameters"].values()} == set(kept)
    assert "Outputs" not in assembly.templates[BASE]
