// What GET /models says, asked in the words of the page: methods, recognizers, limits.

const CLASSIFIER = "classifier";
const QUANTIZER = "colorcnn";
const PREFILTER = "prefilter";
const REFINED_IN_ONE_PASS = "refined_one_pass";
// In this order; what the service lacks is left out.
const RECOMMENDED = ["refined_fast", "refined", "refined_one_pass", "halftone", "kmeans", "colorcnn", "nearest"];

/** Return the catalog of a service from the JSON of GET /models. */
export function createCatalog(report) {
  const methods = new Map(report.method_details.map((method) => [method.name, method]));
  const models = new Map(report.models.map((model) => [model.name, model]));
  const named = (kind) => report.models.filter((model) => model.kind === kind);
  const recommended = RECOMMENDED.filter((name) => methods.has(name)).map((name) => methods.get(name));

  return {
    limits: report.limits ?? {},
    palettes: report.palettes ?? [],
    methods: [...methods.values()],
    recommended,
    others: [...methods.values()].filter((method) => !recommended.includes(method)),
    title: (name) => methods.get(name)?.title ?? name,
    describe: (name) => methods.get(name)?.description ?? "",

    /** Whether a method supports an option; "" stands for the choice of the service. */
    supports(method, option, model = "") {
      if (option === "fidelity" && models.get(model)?.kind === QUANTIZER && !models.get(model).fidelity) return false;
      return !methods.has(method) || methods.get(method).options.includes(option);
    },

    /** Names that the option `model` may have with a method, in groups: [label, names]. */
    modelGroups(method) {
      const recognizers = method === REFINED_IN_ONE_PASS ? named(PREFILTER).map((model) => model.classifier)
        : named(CLASSIFIER).map((model) => model.name);
      const networks = named(QUANTIZER).map((model) => model.name);
      if (!this.supports(method, "model")) return [];
      if (method.startsWith("colorcnn")) return [["Networks", networks]];
      return method ? [["Recognizers", recognizers]] : [["Recognizers", recognizers], ["Networks", networks]];
    },

    allowsModel(method, model) {
      return this.modelGroups(method).some(([, names]) => names.includes(model));
    },

    /** What a classifier sees of a picture: side of its input, and share of the shorter side that it sees, or null. */
    view: (name) => (models.has(name) ? { size: models.get(name).size, crop: models.get(name).crop ?? null } : null),
    hasMaps: (name) => Boolean(models.get(name)?.cam),

    /** Name of the classifier of a picture of this size, where a request names none. */
    classifierOf(width, height) {
      const { small, photograph, largest_small_side: side } = report.defaults;
      const isPhotograph = !small || (photograph && Math.min(width, height) > side);
      return (isPhotograph ? photograph : small).classifier;
    },
  };
}
