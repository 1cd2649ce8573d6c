"""A model in a few words."""

from typing import Any

from kerasgen.text.vocab import CharVocab


def summary(char_model: Any, vocab: CharVocab, card: dict[str, Any]) -> str:
    """Say of what kind a model is, how large, and what it learned from.

    Args:
        char_model: by the contract.
        vocab: its characters.
        card: what is known of it.
    """
    try:
        units = [hidden.shape[-1] for hidden in char_model.hidden(char_model.initial_state(1))]
    except AttributeError:  # a model that generates need not have it
        units = []
    layers = f"{len(units)} x {units[0]}" if len(set(units)) == 1 < len(units) else " + ".join(map(str, units))
    name = card.get("data", {}).get("name")
    parts = [card.get("kind", ""), f"{layers} units" if layers else "", f"{len(vocab)} characters"]
    parts.append(f"learned from {repr(name)[1:-1]}" if name else "")
    return ", ".join(filter(None, parts))
