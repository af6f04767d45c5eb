"""The full-size measurement by transformers + PEFT: work as JSON on stdin, figures as one line of JSON on stdout.

The same work as fullSize/ours.ts: bf16 on CUDA, f32 on a CPU. `generate` samples at T = 1 with the key/value cache and
writes exactly as many tokens as asked; the update is one AdamW step on the adapter, in micro-batches.
"""

import json
import sys
import time

import peft
import torch
import transformers


def main() -> None:
    work = json.load(sys.stdin)
    cuda = torch.cuda.is_available()
    device = torch.device("cuda" if cuda else "cpu")
    dtype = torch.bfloat16 if cuda else torch.float32
    torch.manual_seed(0)
    say("transformers: loading")
    base = transformers.Qwen2_5_VLForConditionalGeneration.from_pretrained(work["folder"], dtype=dtype).to(device)
    # Qwen's published folders name end tokens; responses here are as long as asked.
    base.generation_config = transformers.GenerationConfig(pad_token_id=0)
    lora = work["lora"]
    targets = "|".join(lora["targets"])
    config = peft.LoraConfig(
        r=lora["rank"],
        lora_alpha=lora["alpha"],
        target_modules=rf".*layers\.\d+\.(self_attn|mlp)\.({targets})",
        exclude_modules=r".*visual.*",
    )
    model = peft.get_peft_model(base, config)
    model.eval()  # no dropout is configured either way
    prompts = torch.tensor(work["prompts"], device=device)
    decode = []
    for batch in work["batches"]:
        say(f"transformers: decoding {batch} rows")
        chosen = prompts[: batch // work["groupSize"]]
        decode.append({
            "batch": batch,
            "first": repeated(work, cuda, lambda: sample(model, chosen, work["groupSize"], 1)),
            "all": repeated(work, cuda, lambda: sample(model, chosen, work["groupSize"], work["newTokens"])),
        })
    check = checked(model, prompts[:1], torch.tensor([work["checked"]], device=device))
    say("transformers: GRPO steps")
    versions = f"transformers {transformers.__version__}, PEFT {peft.__version__}, torch {torch.__version__}"
    place = torch.cuda.get_device_name() if cuda else "CPU"
    figures = {
        "engine": f"{versions}, {str(dtype).removeprefix('torch.')}, {place}",
        "check": check,
        "decode": decode,
        "step": steps(model, prompts[: work["step"]["prompts"]], work, cuda),
        "peakBytes": torch.cuda.max_memory_reserved() if cuda else None,
    }
    print(json.dumps(figures))


def say(what: str) -> None:
    print(what, file=sys.stderr, flush=True)


def now(cuda: bool) -> float:
    if cuda:
        torch.cuda.synchronize()
    return 1000 * time.perf_counter()


def repeated(work: dict, cuda: bool, once) -> list[float]:
    """Milliseconds of each repetition but the first."""
    times = []
    for _ in range(work["repetitions"] + 1):
        began = now(cuda)
        once()
        times.append(now(cuda) - began)
    return times[1:]


@torch.no_grad()
def sample(model, prompts: torch.Tensor, group: int, new_tokens: int) -> torch.Tensor:
    """Prompts and their responses, [prompts * group, prompt + new_tokens]."""
    return model.generate(
        input_ids=prompts, attention_mask=torch.ones_like(prompts), do_sample=True, temperature=1.0, top_k=0, top_p=1.0,
        num_return_sequences=group, min_new_tokens=new_tokens, max_new_tokens=new_tokens, use_cache=True,
    )


def logprobs(model, sequences: torch.Tensor, count: int) -> torch.Tensor:
    """Log-probabilities of the last `count` tokens of each row, [rows, count]."""
    mask = torch.ones_like(sequences)
    logits = model(input_ids=sequences, attention_mask=mask, logits_to_keep=count + 1, use_cache=False).logits
    return torch.log_softmax(logits[:, :-1].float(), dim=-1).gather(-1, sequences[:, -count:, None]).squeeze(-1)


@torch.no_grad()
def checked(model, prompt: torch.Tensor, response: torch.Tensor) -> float:
    return logprobs(model, torch.cat([prompt, response], dim=1), response.shape[1]).mean().item()


def steps(model, prompts: torch.Tensor, work: dict, cuda: bool) -> dict:
    step = work["step"]
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimiser = torch.optim.AdamW(trained, lr=step["learningRate"], weight_decay=0.0)
    count, rows = step["newTokens"], prompts.shape[0] * work["groupSize"]
    advantages = torch.tensor([1.0 if row % 2 == 0 else -1.0 for row in range(rows)], device=prompts.device)[:, None]
    rollout, update = [], []
    for i in range(work["repetitions"] + 1):
        began = now(cuda)
        sequences = sample(model, prompts, work["groupSize"], count)
        between = now(cuda)
        for first in range(0, rows, step["microBatchRows"]):
            part = slice(first, first + step["microBatchRows"])
            logp = logprobs(model, sequences[part], count)
            # On-policy: the ratio is 1 and no clip binds, the gradient is that of the clipped objective.
            loss = -(advantages[part] * torch.exp(logp - logp.detach())).sum() / (rows * count)
            loss.backward()
        torch.nn.utils.clip_grad_norm_(trained, 1.0)
        optimiser.step()
        optimiser.zero_grad(set_to_none=True)
        ended = now(cuda)
        if i > 0:
            rollout.append(between - began)
            update.append(ended - between)
    return {"rollout": rollout, "update": update}


main()
