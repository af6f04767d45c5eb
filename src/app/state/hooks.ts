/** The thin React layer over the stores. */
import { createContext, useContext } from "react";
import { useStore } from "zustand";
import type { GroupsState } from "./groups";
import type { HistoryState } from "./history";
import type { ReflectionsState } from "./reflections";
import type { RunState } from "./run";
import type { Session } from "./session";
import { type ViewState, view } from "./view";

export const SessionContext = createContext<Session | null>(null);

export function useSession(): Session {
  const session = useContext(SessionContext);
  if (session === null)
    throw new Error(
      "This part of the page stands outside SessionContext; wrap it in <SessionContext value={session}>.",
    );
  return session;
}

export const useRun = <Slice>(select: (state: RunState) => Slice): Slice =>
  useStore(useSession().live.run.store, select);
export const useGroups = <Slice>(select: (state: GroupsState) => Slice): Slice =>
  useStore(useSession().live.groups.store, select);
export const useHistory = <Slice>(select: (state: HistoryState) => Slice): Slice =>
  useStore(useSession().live.history.store, select);
export const useReflections = <Slice>(select: (state: ReflectionsState) => Slice): Slice =>
  useStore(useSession().live.reflections.store, select);
export const useView = <Slice>(select: (state: ViewState) => Slice): Slice => useStore(view, select);
