"""What we need of Dagster and it does not export; its version is pinned, so that none moves unseen.

Health checks of run workers, the run tags of a range of partitions and of a run on a code server,
and which materialization an asset check by partition belongs to.
"""

from dagster._core.definitions.asset_checks.asset_check_evaluation import (
    AssetCheckEvaluationTargetMaterializationData,
)
from dagster._core.launcher import CheckRunHealthResult, WorkerStatus
from dagster._core.storage.tags import (
    ASSET_PARTITION_RANGE_END_TAG,
    ASSET_PARTITION_RANGE_START_TAG,
    GRPC_INFO_TAG,
)

__all__ = [
    "ASSET_PARTITION_RANGE_END_TAG",
    "ASSET_PARTITION_RANGE_START_TAG",
    "GRPC_INFO_TAG",
    "AssetCheckEvaluationTargetMaterializationData",
    "CheckRunHealthResult",
    "WorkerStatus",
]
