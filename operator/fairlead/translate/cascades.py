"""`cascade`: what an answer must be like, in which order models are asked, and what stands against it."""

from collections.abc import Collection

from fairlead import ir
from fairlead.api import cascade as written
from fairlead.api.conditions import Reason
from fairlead.ir import ModelKind, fold, word
from fairlead.translate.candidates import Candidates
from fairlead.translate.diagnostics import Diagnostics
from fairlead.translate.suggestion import listed


def cascade(spec: written.Cascade, candidates: Candidates) -> ir.Cascade | None:
    """Return the cascade of a route whose names share these candidates; None where they are not of chat."""
    if candidates.kind is not ModelKind.CHAT:
        return None
    models = dict.fromkeys(word.encode(one.model) for one in candidates.models)
    return ir.Cascade(accept=_accept(spec.accept), models=tuple(models))


def _accept(accept: written.Accept) -> ir.Accept:
    return ir.Accept(
        finish_reasons=tuple(sorted(reason.value for reason in accept.finish_reason)),
        json=accept.json_ is written.JsonCheck.AS_REQUESTED,
        tool_calls=accept.tool_calls is written.ToolCallsCheck.VALID,
        refusal=accept.refusal is written.RefusalCheck.ESCALATE,
        min_characters=accept.min_characters,
        contains=_folded(accept.contains),
        not_contains=_folded(accept.not_contains),
        min_mean_logprob=accept.min_mean_logprob,
    )


def _folded(literals: Collection[str] | None) -> tuple[str, ...]:
    return tuple(sorted({fold.fold(text) for text in literals or ()}))


def judge_cascade(
    *,
    wanted: bool,
    kinds: Collection[ModelKind],
    worded: Collection[str],
    alone: Collection[str],
    diagnostics: Diagnostics,
) -> None:
    """Say where a cascade that a route wants judges nothing.

    `worded`: paths whose requests some provider wants in other words; `alone`: regions where only one model can answer.
    """
    if not wanted:
        return
    if set(kinds) - {ModelKind.CHAT}:
        diagnostics.note(
            Reason.MODEL_TYPE_MISMATCH,
            "spec.cascade",
            f"got `cascade` on a route of {listed(sorted(set(kinds) - {ModelKind.CHAT}))} models, want none: answers of"
            " chat alone are judged, remove it",
        )
        return
    if alone:
        diagnostics.warn(
            "spec.cascade",
            f"got one model alone that can answer within residency in {listed(sorted(alone))}, want another one there,"
            " or its answers are not judged",
        )
    for path in worded:
        diagnostics.warn(
            "spec.cascade",
            f"got a provider that wants {path.removeprefix('/v1/')} in other words, want to know that answers to"
            f" `{path}` are not judged then; `x-fairlead-cascade` says `bypass`",
        )
