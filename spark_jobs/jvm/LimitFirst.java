package headgate;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.apache.spark.sql.catalyst.expressions.Alias;
import org.apache.spark.sql.catalyst.expressions.Attribute;
import org.apache.spark.sql.catalyst.expressions.ExprId;
import org.apache.spark.sql.catalyst.expressions.Expression;
import org.apache.spark.sql.catalyst.expressions.Literal;
import org.apache.spark.sql.catalyst.expressions.NamedExpression;
import org.apache.spark.sql.catalyst.expressions.SortOrder;
import org.apache.spark.sql.catalyst.plans.logical.GlobalLimit;
import org.apache.spark.sql.catalyst.plans.logical.LocalLimit;
import org.apache.spark.sql.catalyst.plans.logical.LogicalPlan;
import org.apache.spark.sql.catalyst.plans.logical.Offset;
import org.apache.spark.sql.catalyst.plans.logical.Project;
import org.apache.spark.sql.catalyst.plans.logical.Sort;
import org.apache.spark.sql.catalyst.plans.logical.UnaryNode;
import org.apache.spark.sql.catalyst.rules.Rule;
import org.apache.spark.sql.internal.SQLConf;
import scala.runtime.AbstractPartialFunction;

/**
 * LIMIT and OFFSET choose the rows before their calls are made: a call ahead for a row nobody gets would cost money.
 *
 * <p>With the ORDER BY they are over, when that needs no answer.
 */
final class LimitFirst extends Rule<LogicalPlan> {
  @Override
  public LogicalPlan apply(LogicalPlan plan) {
    return plan.transformUp(new Swap());
  }

  private static final class Swap extends AbstractPartialFunction<LogicalPlan, LogicalPlan> {
    @Override
    public boolean isDefinedAt(LogicalPlan plan) {
      return limits(plan) && asks(((UnaryNode) plan).child()) || sorted(plan) != null;
    }

    @Override
    public LogicalPlan apply(LogicalPlan plan) {
      LogicalPlan child = ((UnaryNode) plan).child();
      return asks(child) ? below(plan, (Project) child) : sorted(plan);
    }
  }

  private static boolean limits(LogicalPlan plan) {
    return plan instanceof GlobalLimit || plan instanceof LocalLimit || plan instanceof Offset;
  }

  private static boolean asks(LogicalPlan plan) {
    return plan instanceof Project project && (Calls.in(Calls.list(project.expressions())) || asks(project.child()));
  }

  /** Below every list down to the last with a call in it; Spark lifts limits over lists without calls. */
  private static LogicalPlan below(LogicalPlan limit, Project project) {
    LogicalPlan child = project.child();
    LogicalPlan limited = asks(child) ? below(limit, (Project) child) : over(limit, child);
    return over(project, limited);
  }

  /** A limit over an order over calls, with the calls at the top; null when it is not that, or the order needs them. */
  private static LogicalPlan sorted(LogicalPlan plan) {
    if (!(plan instanceof GlobalLimit top) || !small(top.limitExpr())) {
      return null;
    }
    List<LogicalPlan> limits = new ArrayList<>();
    List<LogicalPlan> lists = new ArrayList<>();
    LogicalPlan below = plan;
    while (limits(below) || below instanceof Project) {
      (below instanceof Project ? lists : limits).add(below);
      below = ((UnaryNode) below).child();
    }
    if (!(below instanceof Sort sort) || !sort.global() || !asks(sort.child())) {
      return null;
    }
    return stacked(lists, chosen(limits, sort, Calls.list(sort.order()), (Project) sort.child()));
  }

  /** Spark keeps the order of that many rows when something else comes after the limit. */
  private static boolean small(Expression rows) {
    return rows instanceof Literal limit
        && limit.value() instanceof Integer number
        && number < SQLConf.get().topKSortFallbackThreshold();
  }

  private static LogicalPlan chosen(List<LogicalPlan> limits, Sort sort, List<SortOrder> order, Project project) {
    Map<ExprId, Expression> columns = new HashMap<>();
    for (NamedExpression column : Calls.list(project.projectList())) {
      columns.put(column.exprId(), column instanceof Alias alias ? alias.child() : (Expression) column);
    }
    List<SortOrder> by = order.stream().map(one -> (SortOrder) one.transformUp(new Origin(columns))).toList();
    if (by.stream().anyMatch(one -> !one.deterministic())) { // calls are not
      return null;
    }
    LogicalPlan child = project.child();
    LogicalPlan rows =
        asks(child)
            ? chosen(limits, sort, by, (Project) child)
            : stacked(limits, new Sort(Calls.seq(by), true, child, sort.hint()));
    return rows == null ? null : over(project, rows);
  }

  private static LogicalPlan stacked(List<LogicalPlan> plans, LogicalPlan lowest) {
    LogicalPlan top = lowest;
    for (int i = plans.size() - 1; top != null && i >= 0; i--) {
      top = over(plans.get(i), top);
    }
    return top;
  }

  /** {@code plan} over another child. */
  private static LogicalPlan over(LogicalPlan plan, LogicalPlan child) {
    return plan.withNewChildren(Calls.seq(List.of(child)));
  }

  /** A column of a list -> what it is made of. */
  private static final class Origin extends AbstractPartialFunction<Expression, Expression> {
    private final Map<ExprId, Expression> columns;

    Origin(Map<ExprId, Expression> columns) {
      this.columns = columns;
    }

    @Override
    public boolean isDefinedAt(Expression expression) {
      return expression instanceof Attribute column && columns.containsKey(column.exprId());
    }

    @Override
    public Expression apply(Expression expression) {
      return columns.get(((Attribute) expression).exprId());
    }
  }
}
