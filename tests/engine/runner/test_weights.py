"""What checkpoints are recognised as, by the names of their weights."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sdrest.checkpoints import contents as checkpoint_file
from sdrest.engine.runner.weights import Need, Weight, kind, needs, problem, schedule_problem
from tests.support.paths import DATA

CHECKPOINTS = DATA / "checkpoints"
UNET = "model.diffusion_model."
FIRST = UNET + "input_blocks.0.0.weight"
CONTEXT = UNET + "input_blocks.1.1.transformer_blocks.0.attn2.to_k.weight"


class Tensor:
    def __init__(self, *shape: int) -> None:
        self.shape = shape


class Module:
    """As much of a network as is asked for: names of tensors, some of which are parameters."""

    def __init__(self, parameters: dict[str, Tensor], **attributes: Any) -> None:
        self.tensors = {**parameters, "alphas_cumprod": Tensor(1000)}
        self.parameters = {id(weight) for weight in parameters.values()}
        vars(self).update(attributes)

    def named_parameters(self) -> Iterator[tuple[str, Tensor]]:
        seen: set[int] = set()
        for name, weight in self.tensors.items():
            if id(weight) in self.parameters - seen:
                seen.add(id(weight))
                yield name, weight

    def state_dict(self, *, keep_vars: bool) -> dict[str, Tensor]:
        assert keep_vars
        return self.tensors


class Ema:
    def __init__(self, *names: str) -> None:
        self.m_name2s_name = {name: name.replace(".", "") for name in names}


def test_buffers_and_what_training_uses_are_not_needed() -> None:
    names = ("logvar", "first_stage_model.loss.logvar", "first_stage_model.loss.discriminator.w")
    module = Module({FIRST: Tensor(320, 4, 3, 3), **{name: Tensor(1) for name in names}})
    assert needs(module) == [Need((FIRST,), (320, 4, 3, 3))]


def test_weights_that_come_from_the_hub_are_not_needed() -> None:
    text = Tensor(3)
    module = Module({FIRST: Tensor(1), "cond_stage_model.transformer.x": text})
    assert [need.names for need in needs(module, pretrained=[id(text)])] == [(FIRST,)]


def test_a_weight_with_two_names_needs_one() -> None:
    shared = Tensor(3)
    module = Module({"first_stage_model.a": shared, "cond_stage_model.a": shared})
    (need,) = needs(module)
    assert need.names == ("first_stage_model.a", "cond_stage_model.a")
    for name in need.names:
        assert problem([need], {name: Weight((3,))}) is None


def test_averaged_weights_are_needed_in_place_of_the_trained_ones() -> None:
    module = Module({FIRST: Tensor(1)}, use_ema=True, model_ema=Ema(FIRST[len("model.") :]))
    averaged = "model_ema.diffusion_modelinput_blocks00weight"
    assert [need.names for need in needs(module)] == [(averaged,)]
    module.use_ema = False  # type: ignore[attr-defined]  # set by name
    assert [need.names for need in needs(module)] == [(FIRST,)]


def test_text_to_image_needs_no_encoder() -> None:
    names = ("first_stage_model.encoder.a", "first_stage_model.quant_conv.a")
    module = Module({name: Tensor(1) for name in (*names, "first_stage_model.decoder.a")})
    assert [need.names[0] for need in needs(module, encodes=False)] == [
        "first_stage_model.decoder.a"
    ]
    assert len(needs(module)) == 3


def given(*names: str, **shapes: tuple[int, ...]) -> dict[str, Weight]:
    return {name: Weight(shapes.get("shape", (1,))) for name in names}


@pytest.mark.parametrize(
    ("weights", "text"),
    [
        ({}, "holds no weights"),
        (given("model_ema.decay", "model_ema.diffusion_modelout2bias"), "holds only EMA weights"),
        (given("model_ema.x", "first_stage_model.decoder.x"), "holds only EMA weights"),
        (given("decoder.conv_in.weight", "encoder.conv_in.weight"), "is a VAE"),
        (given("first_stage_model.decoder.conv_in.weight", "alphas_cumprod"), "is a VAE"),
        (given("lora_unet_down_blocks_0.lora_up.weight"), "is a LoRA"),
        (given("unet.down_blocks.0.attn1.to_k.lora_A.weight"), "is a LoRA"),
        (given("string_to_param"), "is a textual inversion"),
        (given("control_model.input_blocks.0.0.weight"), "is a ControlNet"),
        (given("conditioner.embedders.0.x", FIRST), "is a Stable Diffusion XL model"),
        (given(UNET + "label_emb.0.0.weight", FIRST), "is a Stable Diffusion XL model"),
        (given("cond_stage_model.model.ln_final.weight", FIRST), "is a Stable Diffusion 2 model"),
        (given(FIRST, CONTEXT, shape=(320, 1024)), "is a Stable Diffusion 2 model"),
        (given(FIRST, shape=(320, 9, 3, 3)), "is a Stable Diffusion inpainting model"),
        (given(FIRST, shape=(256, 7, 3, 3)), "is a latent-diffusion inpainting model"),
        (given(FIRST, shape=(320, 4, 3, 3)), "is a text-to-image model"),
        (given("down_blocks.0.resnets.0.conv1.weight"), "is in the format of diffusers"),
        (given("text_model.encoder.layers.0.x"), "is a text encoder"),
    ],
)
def test_files_are_named(weights: dict[str, Weight], text: str) -> None:
    assert (kind(weights) or "").startswith(text)


def test_nothing_is_said_of_unknown_files() -> None:
    assert kind(given("epoch", "fc.weight")) is None


def test_a_part_that_is_missing_is_counted() -> None:
    needed = [Need((f"{UNET}{number}",), (3,)) for number in range(10)]
    whole = {need.names[0]: Weight((3,)) for need in needed}
    assert problem(needed, {**whole, "more": Weight(())}) is None
    del whole[f"{UNET}4"]
    assert (problem(needed, whole) or "").startswith(
        f"lacks 1 of 10 weights that the script needs, for example {UNET}4. Choose"
    )


def test_another_model_is_named_both_ways() -> None:
    text, inpainting = (320, 4, 3, 3), (320, 9, 3, 3)
    for needed, found, name in (
        (text, inpainting, "is a Stable Diffusion inpainting model"),
        (inpainting, text, "is a text-to-image model"),
    ):
        message = problem([Need((FIRST,), needed)], {FIRST: Weight(found)}) or ""
        assert message.startswith(f"{name}: 1 of its weights have other shapes")


def test_a_schedule_that_rounds_to_one_is_refused() -> None:
    assert schedule_problem([0.999, 0.5, 0.0], "bfloat16") is None
    assert "bfloat16" in (schedule_problem([1.0, 0.5], "bfloat16") or "")
    assert "damaged" in (schedule_problem([float("nan")], "float32") or "")


@pytest.mark.parametrize("name", ["whole", "legacy"])
def test_a_checkpoint_is_read_without_torch(name: str) -> None:
    contents = checkpoint_file.read(CHECKPOINTS / f"{name}.ckpt")
    assert contents is not None
    assert contents.has_state_dict
    assert dict(contents.weights) == {
        FIRST: Weight((2, 4, 3, 3), "float32"),
        UNET + "input_blocks.0.0.bias": Weight((2,), "float16"),
        "first_stage_model.decoder.conv_in.weight": Weight((2, 3), "float32"),
        "cond_stage_model.transformer.text_model.embeddings.position_ids": Weight((1, 3), "int64"),
        "alphas_cumprod": Weight((5,), "float32"),
    }


def test_nothing_in_a_checkpoint_is_executed(tmp_path: Path) -> None:
    path = tmp_path / "evil.ckpt"
    target = tmp_path / "made"
    path.write_bytes(b"cos\nmkdir\n(V" + str(target).encode() + b"\ntR.")
    assert checkpoint_file.read(path) is None
    assert not target.exists()


@pytest.mark.parametrize("content", [b"", b"\x80\x02weights", b"PK\x03\x04", b"\x80\x02K\x01."])
def test_what_is_no_checkpoint_has_no_contents(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "file.ckpt"
    path.write_bytes(content)
    assert checkpoint_file.read(path) is None
