"""What a synthesis is told: the prefix of the stacks, and which world they are for."""

from __future__ import annotations

import re
from dataclasses import dataclass

from pharmaetl.aws.naming import PREFIX, BaseNames
from pharmaetl.errors import ConfigError

PARTITIONS = frozenset({"aws", "aws-cn", "aws-us-gov"})


@dataclass(frozen=True)
class Settings:
    """Choices that hold for every stack; each is a CDK context key of the same name."""

    prefix: str = PREFIX
    emulated: bool = False
    """For an emulator that speaks plain HTTP: nothing is refused for want of TLS, and the lake is encrypted by S3's own
    key, which an engine may use over plain HTTP. All else stays as it is."""
    bundle: bool = True
    """Put the libraries into the functions' archives, for which pip may need the network. Without, the templates are
    the same but for the archives' names, and the functions can't run on Lambda."""
    reserved_concurrency: int = 2
    """Executions that Lambda keeps for each function; 0 keeps none, for an account whose quota is too small."""

    partition: str = "aws"
    """Of the regions that it is for: aws, aws-cn or aws-us-gov. The tasks of a state machine are named by it; all other
    ARNs are filled in where they are deployed."""

    def __post_init__(self) -> None:
        if self.partition not in PARTITIONS:
            raise ConfigError(
                f"{self.partition!r} is no partition of AWS", hint=f"one of {', '.join(sorted(PARTITIONS))}"
            )
        if not re.fullmatch(r"[A-Za-z][A-Za-z0-9-]{0,23}", self.prefix):
            raise ConfigError(
                f"{self.prefix!r} can't begin the names of stacks and buckets",
                hint="a letter, then up to 23 letters, digits and hyphens, such as PP-RAWS",
            )

    @property
    def base(self) -> BaseNames:
        """Names of what all datasets share."""
        return BaseNames(self.prefix)

    @property
    def key_parameter(self) -> str:
        """Systems Manager parameter with the ARN of the lake's key, by which the other stacks find it."""
        return f"/{self.prefix.lower()}/lake-key-arn"

    @property
    def lake_parameter(self) -> str:
        """Systems Manager parameter with the ARN of the lake's bucket."""
        return f"/{self.prefix.lower()}/lake-arn"
