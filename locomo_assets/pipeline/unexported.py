"""What we need of Dagster and it does not export; its version is pinned, so that none moves unseen.

What run launchers take and sensors give, how keys are joined, run tags (a range of partitions, a
run on a code server, retries), the local log files, and which materialization a check belongs to.
"""

from dagster._core.definitions.asset_checks.asset_check_evaluation import (
    AssetCheckEvaluationTargetMaterializationData,
)
from dagster._core.definitions.partitions.utils.multi import MULTIPARTITION_KEY_DELIMITER
from dagster._core.definitions.sensor_definition import SensorExecutionData
from dagster._core.launcher import (
    CheckRunHealthResult,
    LaunchRunContext,
    ResumeRunContext,
    WorkerStatus,
)
from dagster._core.storage.compute_log_manager import CapturedLogContext
from dagster._core.storage.local_compute_log_manager import LocalComputeLogManager
from dagster._core.storage.tags import (
    ASSET_PARTITION_RANGE_END_TAG,
    ASSET_PARTITION_RANGE_START_TAG,
    GRPC_INFO_TAG,
    MAX_RETRIES_TAG,
    MULTIDIMENSIONAL_PARTITION_PREFIX,
)

__all__ = [
    "ASSET_PARTITION_RANGE_END_TAG",
    "ASSET_PARTITION_RANGE_START_TAG",
    "GRPC_INFO_TAG",
    "MAX_RETRIES_TAG",
    "MULTIDIMENSIONAL_PARTITION_PREFIX",
    "MULTIPARTITION_KEY_DELIMITER",
    "AssetCheckEvaluationTargetMaterializationData",
    "CapturedLogContext",
    "CheckRunHealthResult",
    "LaunchRunContext",
    "LocalComputeLogManager",
    "ResumeRunContext",
    "SensorExecutionData",
    "WorkerStatus",
]
