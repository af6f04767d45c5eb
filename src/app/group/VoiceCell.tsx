/** One voice of one response: the answer first, because it is what one looks for, then the thought in small. */
import type { Voice } from "../../srpo/types";
import type { SampleRecord, Settings } from "../../worker/protocol";
import { Icon } from "../parts/Icon";
import { strayTokens, tokensByVoice } from "../state/tokens";
import { VOICES } from "../state/words";
import { Tokens } from "./Tokens";

interface VoiceCellProps {
  readonly sample: SampleRecord;
  readonly voice: Voice;
  readonly row: number;
  /** Null where this voice gives no answer or nothing has been scored yet. */
  readonly right: boolean | null;
  readonly clip: Pick<Settings["grpo"], "clipLow" | "clipHigh">;
}

export function VoiceCell({ sample, voice, row, right, clip }: VoiceCellProps) {
  const { text, answer } = tokensByVoice(sample)[voice];
  const { label: name, short } = VOICES.find((each) => each.voice === voice) ?? { label: voice, short: voice };
  const nothing = text.length === 0 && answer.length === 0;
  const stray = voice === "first" && nothing ? strayTokens(sample) : [];
  return (
    <div className={`voice voice-${voice}`} data-label={short}>
      {stray.length > 0 && <Tokens sample={sample} at={stray} clip={clip} className="stray" label={`Response ${row + 1}, outside of every block`} />}
      {nothing && stray.length === 0 && <span className="voice-nothing">{voice === "reflection" ? "no reflection" : "nothing said"}</span>}
      {answer.length > 0 && (
        <span className={`answer ${right === null ? "" : right ? "is-right" : "is-wrong"}`}>
          {right !== null && <Icon name={right ? "check" : "cross"} size={11} />}
          <Tokens sample={sample} at={answer} clip={clip} label={`Response ${row + 1}, ${name.toLowerCase()}, answer${right === null ? "" : right ? ", right" : ", wrong"}`} />
        </span>
      )}
      {text.length > 0 && <Tokens sample={sample} at={text} clip={clip} className="thought" label={`Response ${row + 1}, ${name.toLowerCase()}`} />}
    </div>
  );
}
