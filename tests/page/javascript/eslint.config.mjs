import js from "@eslint/js";

// What is not defined, tsc knows better: the scripts of a page share their names.
export default [
  {
    files: ["kerasgen/page/*.js", "kerasgen/scoring/*.js"],
    languageOptions: { sourceType: "script" },
    rules: {
      ...js.configs.recommended.rules,
      "no-undef": "off",
      "no-unused-vars": ["error", { vars: "local" }],
      eqeqeq: "error",
      "no-shadow": ["error", { builtinGlobals: false }],
      "no-var": "error",
      "prefer-const": "error",
    },
  },
];
