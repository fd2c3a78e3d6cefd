/* classic_list.h - every kind of classic model, by the number .apr files give it. Rows of X can be
 * read and asked; UNREADABLE are known by name alone. */
#ifndef CLASSIC_CLASSIC_LIST_H
#define CLASSIC_CLASSIC_LIST_H

/* clang-format off */
#define CLASSIC_LIST(X)                                            \
/*    id    name                  row                           */ \
    X(0x01, LinearRegression,     classic_linear_regression)       \
    X(0x02, LogisticRegression,   classic_logistic_regression)     \
    X(0x03, DecisionTree,         classic_decision_tree)           \
    X(0x04, RandomForest,         classic_random_forest)           \
    X(0x05, GradientBoosting,     classic_gradient_boosting)       \
    X(0x06, KMeans,               classic_k_means)                 \
    X(0x07, PCA,                  classic_pca)                     \
    X(0x08, NaiveBayes,           classic_naive_bayes)             \
    X(0x09, KNN,                  classic_knn)                     \
    X(0x0A, SVM,                  classic_svm)                     \
    X(0x11, TFIDF,                classic_tfidf)                   \
    X(0x12, CountVectorizer,      classic_count_vectorizer)        \
    X(0x20, NeuralSequential,     classic_neural_sequential)

#define CLASSIC_UNREADABLE_LIST(X)                                 \
    X(0x10, NgramLM)                                               \
    X(0x21, NeuralCustom)                                          \
    X(0x30, ContentRecommender)                                    \
    X(0x40, MixtureOfExperts)                                      \
    X(0x50, TransformerLM)                                         \
    X(0xFF, Custom)
/* clang-format on */

#endif
