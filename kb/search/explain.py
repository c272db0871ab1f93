"""Why search said what it said: how the question was read, what was looked for, what each hit scored, and the numbers behind the verdict."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kb.search.answerability import MODEL

if TYPE_CHECKING:
    from indexer.published import Audience, Published
    from kb.search.answer import Answer


def explanation(published: Published, said: Answer, audience: Audience) -> dict[str, Any]:
    """Return the reasons of an answer as plain values.

    `question`: what it was read as, its content words with how telling they are and what else they may be called, and the key that clusters it.
    `verdict`: the score, its factors and the thresholds, or the wording or title whose question it is in the same or other words.
    `terms`: what was looked for, with weights and the number of sections that hold each.
    `hits`: the sections with their scores, best first, as ranked before an exact wording takes the first place. `scorer`: what ranked.
    """
    question = said.question
    sought, counts = published.looked_up(question)
    asked = (*((term, False) for term in sought.terms), *((term, True) for term in sought.optional))
    hits = published.search(question, limit=len(said.hits) or 1, audience=audience)
    meant = published.meant_by(question, audience) if question.corrected is None else None
    return {
        "question": {
            "read_as": question.corrected or question.text,
            "key": question.key,
            "words": [
                {"word": word, "telling": round(idf, 3), "synonyms": list(question.synonyms.get(word, ()))} for word, idf in published.telling(question).items()
            ],
        },
        "verdict": {
            "verdict": said.verdict.value,
            "score": round(said.decision.score, 4),
            "factors": {name: round(value, 4) for name, value in said.decision.factors},
            "thresholds": {"answered": MODEL.answered, "coverage": MODEL.coverage, "telling": MODEL.telling, "weak": MODEL.weak},
            "exact_wording": published.wording_of(question.text, audience) or (meant.title if meant else None),
        },
        "terms": [
            {
                "stream": term.stream,
                "term": term.text,
                "weight": round(term.weight, 3),
                "sections": count,
                "searched": not optional or count <= sought.rare,
            }
            for term, optional in asked
            if (count := counts[term.stream, term.text]) or not optional
        ],
        "attainable": round(published.attainable(question), 3),
        "hits": [
            {"article": place.article.id, "anchor": place.section.anchor, "score": round(hit.score, 4)}
            for hit in hits
            for place in (published.sections[hit.position],)
        ],
        "scorer": published.scorer,
        "build": published.id,
    }


def as_text(reasons: dict[str, Any]) -> str:
    """Return an explanation for people, one fact a line."""
    question, verdict = reasons["question"], reasons["verdict"]
    from_ = verdict["thresholds"]
    thresholds = f"answered from {from_['answered']} with coverage {from_['coverage']}, weak from {from_['weak']}"
    words = "  ".join(f"{word['word']} {word['telling']}{' = ' + '/'.join(word['synonyms']) if word['synonyms'] else ''}" for word in question["words"])
    terms = "  ".join(
        f"{term['stream'][0]}:{term['term']}×{term['weight']:g} in {term['sections']}{'' if term['searched'] else ' (too many)'}" for term in reasons["terms"]
    )
    lines = [
        f"read as   {question['read_as']}",
        f"words     {words or '-'}",
        f"key       {question['key'] or '-'}",
        f"verdict   {verdict['verdict']} with {verdict['score']}; {thresholds}",
        f"factors   {'  '.join(f'{name} {value}' for name, value in verdict['factors'].items()) or '-'}",
        f"exact     {verdict['exact_wording'] or '-'}",
        f"terms     {terms or '-'}",
        f"reachable {reasons['attainable']}",
        f"scorer    {reasons['scorer']}, build {reasons['build']}",
        *(f"  {hit['score']:9.3f}  {hit['article']}{'#' if hit['anchor'] else ''}{hit['anchor']}" for hit in reasons["hits"]),
    ]
    return "\n".join(lines)
