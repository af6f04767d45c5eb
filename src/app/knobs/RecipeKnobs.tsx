/** The method: which recipe the settings follow, what they change about it, and the way back. */
import { useMemo } from "react";
import { RECIPE_NAMES, RECIPES } from "../../srpo/recipe";
import { usePlayground, useRun } from "../state/hooks";
import { changesOf } from "../state/recipes";
import { settingLabel, settingValue, startSentence } from "../state/recipeWords";
import { view } from "../state/view";

/** More changes than this are counted, not listed. */
const LISTED = 5;

export function RecipeKnobs() {
  const playground = usePlayground();
  const recipe = useRun((state) => state.recipe);
  const settings = useRun((state) => state.wanted);
  const underWay = useRun((state) => state.stage === "grpo" && state.step > 0);
  const changes = useMemo(() => changesOf(settings, recipe), [settings, recipe]);
  const { title, summary, coldStart, nano } = RECIPES[recipe];
  return (
    <section className="knobs recipe" aria-labelledby="recipe">
      <div className="knobs-head">
        <h2 id="recipe">Recipe</h2>
        <button type="button" className="text-button" onClick={() => view.setState({ recipes: recipe })}>
          Compare
        </button>
      </div>
      <select
        className="recipe-choice"
        aria-label="Recipe"
        value={recipe}
        onChange={(event) => {
          const next = RECIPE_NAMES.find((name) => name === event.target.value);
          if (next !== undefined) playground.follow(next);
        }}
      >
        {RECIPE_NAMES.map((name) => (
          <option key={name} value={name}>
            {RECIPES[name].title}
            {name === recipe && changes.length > 0 ? ", changed" : ""}
          </option>
        ))}
      </select>
      {changes.length === 0 ? (
        <p className="recipe-summary">{summary}</p>
      ) : (
        <div className="recipe-changes" role="group" aria-label={`What is changed about ${title}`}>
          <ul>
            {changes.slice(0, LISTED).map((change) => {
              const { path, value, original } = change;
              const back = `${settingLabel(path)}: back to ${settingValue(path, original)}`;
              return (
                <li key={path}>
                  <button type="button" title={back} aria-label={back} onClick={() => playground.undo(change)}>
                    {settingLabel(path)} <b>{settingValue(path, value)}</b>
                    <span aria-hidden="true"> ↺</span>
                  </button>
                </li>
              );
            })}
            {changes.length > LISTED && <li className="recipe-more">and {changes.length - LISTED} more</li>}
            <li className="recipe-back">
              <button type="button" className="text-button" onClick={() => playground.follow(recipe)}>
                Back to {title}
              </button>
            </li>
          </ul>
        </div>
      )}
      {!coldStart && (
        <p className="knob-note is-quiet">
          {startSentence(RECIPES[recipe])}
          {!underWay && nano.coldStart !== true && " For that, choose Base, then GRPO."}
        </p>
      )}
    </section>
  );
}
