/** A recipe's values where they differ from SRPO's, each with its source; all of SRPO's own. */
import type { Recipe } from "../../srpo/recipe";
import { type RecipeValue, recipeValues } from "../../srpo/recipeValues";
import { differences, leaves, type RecipeChange } from "../state/recipes";
import { settingLabel, settingValue } from "../state/recipeWords";

export function RecipeTable({ recipe }: { readonly recipe: Recipe }) {
  const own = recipe.name === "srpo";
  const values = recipeValues(recipe);
  const listed = values.filter(({ srpo }) => own || srpo !== undefined);
  const departed = values.filter(({ nano }) => nano !== undefined);
  return (
    <>
      <table className="recipe-table">
        <caption>
          {own ? (
            "SRPO's values, which the other recipes are compared with."
          ) : (
            <>
              Differs from SRPO in <b>{listed.length}</b> {listed.length === 1 ? "setting" : "settings"}.
            </>
          )}
        </caption>
        <thead>
          <tr>
            <th scope="col">Setting</th>
            <th scope="col">{recipe.title}</th>
            {!own && <th scope="col">SRPO</th>}
            <th scope="col">Source</th>
          </tr>
        </thead>
        <tbody>
          {listed.map((value) => (
            <Rows key={value.key} value={value} own={own} />
          ))}
        </tbody>
      </table>
      {departed.length > 0 && (
        <p className="recipe-departs">
          <b>On this page:</b>{" "}
          {departed
            .map(({ key, value, nano }) => {
              const [here, there] = [settingValue(key, nano), settingValue(key, value)];
              return `${settingLabel(key)} ${here} instead of ${there}`;
            })
            .join("; ")}
          . {recipe.nano.why}
        </p>
      )}
    </>
  );
}

type Row = Pick<RecipeChange, "path" | "value"> & Partial<Pick<RecipeChange, "original">>;

/** One row a setting; the reward is one value of the record and several settings. */
function Rows({ value: { key, value, source, srpo }, own }: { readonly value: RecipeValue; readonly own: boolean }) {
  const listed: readonly Row[] = own ? leaves(value, key) : differences(value, srpo, key);
  return listed.map(({ path, value: here, original }, at) => (
    <tr key={path}>
      <th scope="row">{settingLabel(path)}</th>
      <td className="recipe-own">{settingValue(path, here)}</td>
      {!own && <td>{settingValue(path, original)}</td>}
      {at === 0 && (
        <td rowSpan={listed.length} className="recipe-source">
          {source}
        </td>
      )}
    </tr>
  ));
}
