"""What others published stands on the page with its judge and both names of each category."""

from pathlib import Path

from locomo_assets.history.database import refresh
from locomo_assets.reporting.html import render
from locomo_assets.reporting.report_data import read_content
from locomo_assets_tests.analysis.histories import History
from locomo_assets_tests.history.factories import answer, commit, judgement, lineage


def test_published_results_name_judge_and_taxonomy(tmp_path: Path) -> None:
    history = History(tmp_path)
    history.dataset(["conv-1"], 4)
    history.measure("r1", {"conv-1": "-++-"}, cost_usd=None, latency_ms=None)
    imported = {
        "imported_files": [{"file": "results.jsonl", "file_sha256": "f" * 64, "format": "jsonl"}],
        "answers": [answer(i, "v", conversation="conv-1", llm_model="their") for i in range(4)],
        "judgements": [
            judgement(i, "correct" if i else "wrong", "v", conversation="conv-1", judge="theirs")
            for i in range(4)
        ],
    }
    commit(history.store, lineage("imported_results", "vendor", conversation=None), imported)
    refresh(history.store, history.database_path)
    content = read_content(history.database_path, "r1", max_error_percent=2.0)
    assert [
        (one.release, one.judge, one.llm_model, one.shown, one.vendor_shown, one.accuracy_percent)
        for one in content.published
    ] == [
        ("vendor", "theirs", "their", "1 multi-hop", "single-hop", 0.0),
        ("vendor", "theirs", "their", "2 temporal", "temporal", 100.0),
        ("vendor", "theirs", "their", "3 open-domain", "multi-hop", 100.0),
        ("vendor", "theirs", "their", "4 single-hop", "open-domain", 100.0),
        ("vendor", "theirs", "their", "all scored", "overall", 75.0),
    ]
    text = render(content)
    assert text.count("answered by their · judge theirs") == 1
    assert "no cost is known" in text
    assert "no latency is known" in text
