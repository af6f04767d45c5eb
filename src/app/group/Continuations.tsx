/** The responses of a group that were made to think again, below its samples: no reward, no advantage. */
import type { GroupRecord, Settings } from "../../worker/protocol";
import { ContinuationRow } from "./ContinuationRow";

interface ContinuationsProps {
  readonly group: GroupRecord;
  readonly settings: Settings;
}

export function Continuations({ group, settings }: ContinuationsProps) {
  const { rethought = [] } = group;
  if (rethought.length === 0) return null;
  return (
    <tbody className="continuations">
      <tr className="continuations-head">
        <th scope="rowgroup" colSpan={8}>
          <b>Made to think again.</b> Responses cut after their first solution and continued after a trigger. Right ones
          are imitated; they are not compared with the group.
        </th>
      </tr>
      {rethought.map((sample, at) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: a continuation is known by its place.
        <ContinuationRow key={at} group={group} sample={sample} at={at} settings={settings} />
      ))}
    </tbody>
  );
}
