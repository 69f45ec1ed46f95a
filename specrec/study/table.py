"""A record as Markdown: one table of all models, the sentences that go with it, one table of the parts."""

from typing import Any

from specrec.study.record import Record

TITLES = {
    "ncf": "**specrec's NCF**",
    "random": "random",
    "popularity": "popularity",
    "content": "content only",
    "artist_count": "artist count",
    "item_knn": "item-kNN",
    "ease": "EASE",
    "als": "ALS (`implicit`)",
}
COLUMNS = {
    "ndcg_at_10": "NDCG@10",
    "recall_at_10": "recall@10",
    "recall_at_20": "recall@20",
    "mrr": "MRR",
    "coverage": "coverage",
    "inter_member_distance": "distance",
    "compatibility_r2": "R²",
}


def markdown(record: Record) -> list[str]:
    """Lines. Figures stand with their standard errors."""
    models: Record = record["models"]
    order = sorted(models, key=lambda name: -models[name]["ndcg_at_10"]["mean"])
    lines = [
        f"| model | {' | '.join(COLUMNS.values())} | fit, s | peak, MB | settings |",
        f"|---|{'---:|' * (len(COLUMNS) + 2)}---|",
        *(_row(name, models[name]) for name in order),
        "",
        *_sentences(record),
    ]
    if record["ablation"]:
        lines += ["", "| part of the network | NDCG@10 | less than the whole by |", "|---|---:|---:|"]
        lines += [
            f"| {name} | {figure(part['ndcg_at_10'])} | {figure(_less(part['difference_to_fusion']))} |"
            for name, part in record["ablation"].items()
        ]
        lines += [
            "",
            "Gates are those that were found for the whole: found anew, what is left without a part could do better.",
            *deep_sentence(record),
        ]
    return lines


def figure(value: Record) -> str:
    """0.275 ± .005"""
    if value["mean"] is None:
        return "–"
    error = value["standard_error"]
    mean = round(value["mean"], 3) + 0.0  # no −0
    return f"{mean:.3f}" + ("" if error is None else f" ± {error:.3f}".replace("± 0.", "± ."))


def signed(value: Record) -> str:
    return ("+" if round(value["mean"], 3) >= 0 else "") + figure(value)


def title(name: str) -> str:
    return TITLES.get(name, name)


def _row(name: str, model: Record) -> str:
    cells = [figure(model[column]) for column in COLUMNS]
    seconds = model["fit_seconds"]
    chosen = ", ".join(f"{key} {_plain(value)}" for key, value in model["settings"].items())
    cells += [f"{seconds:.1f}" if seconds >= 0.05 else "0.0", f"{model['peak_memory_mb']:,.0f}", chosen]
    return f"| {title(name)} | {' | '.join(cells)} |"


def _plain(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def _sentences(record: Record) -> list[str]:
    data, seeds = record["data"], len(record["seeds"])
    lines = [
        f"{data['members']:,} members, {data['tracks']:,} tracks ({data['tracks_with_features']:,} with features, "
        f"{data['tracks_with_artist']:,} with artists), {data['interactions']:,} interactions; protocol "
        f"{record['protocol']}, {seeds} {'seed' if seeds == 1 else 'seeds'}, {record['members_measured']:,} members "
        "measured. Full ranking over all tracks that a member has not been given; ± is the standard error over "
        "members.",
    ]
    if record["best_peer"] is not None:
        tuned = [name for name, model in record["models"].items() if model["tuning"]]
        if tuned:
            lines.append(
                f"Tuned on a validation set inside the training part, once for all seeds: "
                f"{', '.join(title(name) for name in tuned)}."
            )
        lines.append(best_sentence(record))
    for name, why in record["left_out"].items():
        lines.append(f"Left out: {title(name)}, as {why}.")
    return lines


def best_sentence(record: Record) -> str:
    against = record["against_best_peer"]
    ratio = "" if against["ratio"] is None else f" ({against['ratio']:.2f} ×)"
    verdict = {
        True: "it holds against it (not below by more than one standard error)",
        False: "it does not hold against it (below by more than one standard error)",
        None: "too few members to say whether that is chance",
    }[against["holds"]]
    return (
        f"The best single peer is {title(against['peer'])}. NDCG@10 of the network less its, paired over members: "
        f"{signed(against)}{ratio}: {verdict}."
    )


def deep_sentence(record: Record) -> list[str]:
    """What the part that is learned adds to the best that is made without it: the fusion of the rest as the gates
    are, or one branch alone. At most, as the fusion of the rest would find other gates."""
    ablation: Record = record["ablation"]
    if "without deep" not in ablation:
        return []
    rest = {
        name: part
        for name, part in ablation.items()
        if name == "without deep" or (name.endswith(" alone") and not name.startswith("deep"))
    }
    best = max(rest, key=lambda name: rest[name]["ndcg_at_10"]["mean"])
    added = _less(rest[best]["difference_to_fusion"])
    error = added["standard_error"]
    beside = f"{signed(added)} NDCG@10 beside the best without it ({best})"
    if error is None or abs(added["mean"]) <= error:
        return [f"The deep branch adds nothing that can be told from chance on this data: {beside}."]
    if added["mean"] < 0:
        return [f"The deep branch adds nothing on this data, where the whole network is not the best: {beside}."]
    return [f"The deep branch adds at most {beside} on this data."]


def _less(difference: Record) -> Record:
    return {**difference, "mean": -difference["mean"]}
