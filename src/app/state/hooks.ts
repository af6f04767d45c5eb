/** The thin React layer over the stores. */
import { createContext, useContext } from "react";
import { useStore } from "zustand";
import type { GroupsState } from "./groups";
import type { HistoryState } from "./history";
import type { KeepingState } from "./keeping";
import type { PlaygroundController } from "./playgroundController";
import type { ReflectionsState } from "./reflections";
import type { RunState } from "./run";
import { type ViewState, view } from "./view";

export const PlaygroundContext = createContext<PlaygroundController | null>(null);

export function usePlayground(): PlaygroundController {
  const playground = useContext(PlaygroundContext);
  if (playground === null)
    throw new Error(
      "This part of the page stands outside PlaygroundContext; wrap it in <PlaygroundContext value={playground}>.",
    );
  return playground;
}

export const useRun = <Slice>(select: (state: RunState) => Slice): Slice =>
  useStore(usePlayground().live.run.store, select);
export const useGroups = <Slice>(select: (state: GroupsState) => Slice): Slice =>
  useStore(usePlayground().live.groups.store, select);
export const useHistory = <Slice>(select: (state: HistoryState) => Slice): Slice =>
  useStore(usePlayground().live.history.store, select);
export const useReflections = <Slice>(select: (state: ReflectionsState) => Slice): Slice =>
  useStore(usePlayground().live.reflections.store, select);
export const useKeeping = <Slice>(select: (state: KeepingState) => Slice): Slice =>
  useStore(usePlayground().live.keeping.store, select);
export const useView = <Slice>(select: (state: ViewState) => Slice): Slice => useStore(view, select);
