/** The recipes beside each other: what each changes about SRPO, its sources, and where this page departs. */
import { useEffect, useRef } from "react";
import { RECIPE_NAMES, RECIPES, type RecipeName } from "../../srpo/recipe";
import { Icon } from "../parts/Icon";
import { usePlayground, useRun, useView } from "../state/hooks";
import { startSentence } from "../state/recipeWords";
import { canSteer } from "../state/run";
import { view } from "../state/view";
import { RecipeTable } from "./RecipeTable";

const READERS = [
  { who: "To understand", what: "Change one thing, take a step, and read “What this step did” below the group." },
  {
    who: "To compare",
    what: "The values are the sources'. Where this page departs from them, the table says so and why.",
  },
  { who: "To teach", what: "The link in the header carries recipe and changes: a class starts from the same place." },
] as const;

export function RecipeDialog() {
  const dialog = useRef<HTMLDialogElement>(null);
  const shown = useView((state) => state.recipes);
  const open = shown !== null;
  useEffect(() => {
    if (open) dialog.current?.showModal();
    else dialog.current?.close();
  }, [open]);
  const close = (): void => view.setState({ recipes: null });
  return (
    // biome-ignore lint/a11y/useKeyWithClickEvents: a click beside the dialog closes it; Escape does so by itself.
    <dialog
      className="recipes"
      ref={dialog}
      onClose={close}
      aria-labelledby="recipes-title"
      onClick={(event) => {
        if (event.target === event.currentTarget) close();
      }}
    >
      {shown !== null && <Recipes shown={shown} close={close} />}
    </dialog>
  );
}

function Recipes({ shown, close }: { readonly shown: RecipeName; readonly close: () => void }) {
  const playground = usePlayground();
  const used = useRun((state) => state.recipe);
  const ready = useRun((state) => state.status !== "ready" || canSteer(state));
  const recipe = RECIPES[shown];
  return (
    <>
      <div className="recipes-head">
        <h2 id="recipes-title">Recipes</h2>
        <button type="button" className="icon-button" onClick={close} aria-label="Close recipes">
          <Icon name="close" />
        </button>
      </div>
      <div className="recipes-names" role="group" aria-label="Recipe to look at">
        {RECIPE_NAMES.map((name) => (
          <button
            key={name}
            type="button"
            aria-pressed={name === shown}
            className={name === used ? "is-used" : undefined}
            onClick={() => view.setState({ recipes: name })}
          >
            {RECIPES[name].title}
          </button>
        ))}
      </div>
      <div className="recipes-body">
        <div className="recipes-what">
          <p>
            {recipe.summary} {startSentence(recipe)} <span className="recipes-start">{recipe.sources.coldStart}</span>
          </p>
          {shown === used ? (
            <span className="recipes-used">In use</span>
          ) : (
            <button
              type="button"
              className="button is-main"
              disabled={!ready}
              onClick={() => {
                playground.follow(shown);
                close();
              }}
            >
              Use {recipe.title}
            </button>
          )}
        </div>
        <RecipeTable recipe={recipe} />
        <dl className="recipes-readers">
          {READERS.map(({ who, what }) => (
            <div key={who}>
              <dt>{who}</dt>
              <dd>{what}</dd>
            </div>
          ))}
        </dl>
      </div>
    </>
  );
}
